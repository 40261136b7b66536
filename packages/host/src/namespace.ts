import native from '../native/index.js';

/** Namespaces and mounts of this thread. Each returns 0 or a negated errno. */
export const { unshare, setns, mount, cloneMount, umount2, pivotRoot, chroot, fchdir, sethostname } = native;
