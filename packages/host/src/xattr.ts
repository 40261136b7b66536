import native from '../native/index.js';

/** Extended attributes of open files, xattr(7); of O_PATH descriptors through /proc/self/fd. */
export const { fgetxattr, fsetxattr, flistxattr, fremovexattr } = native;
