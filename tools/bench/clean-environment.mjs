// What is measured is started without NODE_EXTRA_CA_CERTS: where that is set, Node.js 20 reads all certificates when it
// starts, which takes longer than everything else that it does, and is nothing of ours. Imported for its effect.
delete process.env.NODE_EXTRA_CA_CERTS;
