// Two workers that answer messages, and then wait for each other's words of shared memory.
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

const MESSAGES = 10_000;
const TURNS = 20_000;

if (isMainThread) await lead();
else follow();

async function lead() {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const workers = [0, 1].map((index) => new Worker(new URL(import.meta.url), { workerData: { index, words } }));
  const sums = await Promise.all(workers.map(exchange));
  for (const worker of workers) worker.postMessage('turns');
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
  console.log(sums.join(' '), Atomics.load(words, 0));
}

/** Sends a number and gets its square, so many times. */
function exchange(worker) {
  return new Promise((resolve) => {
    let sum = 0;
    let sent = 0;
    worker.on('message', (square) => {
      sum += square;
      if (sent === MESSAGES) resolve(sum);
      else worker.postMessage(sent++);
    });
    worker.postMessage(sent++);
  });
}

function follow() {
  const { index, words } = workerData;
  parentPort.on('message', (message) => {
    if (message !== 'turns') {
      parentPort.postMessage(message * message);
      return;
    }
    // Word 0 counts turns; its parity says whose it is.
    for (let turn = index; turn < TURNS; turn += 2) {
      for (let seen = Atomics.load(words, 0); seen !== turn; seen = Atomics.load(words, 0))
        Atomics.wait(words, 0, seen);
      Atomics.store(words, 0, turn + 1);
      Atomics.notify(words, 0);
    }
    parentPort.close();
  });
}
