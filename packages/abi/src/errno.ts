/**
 * Error numbers, errno(3), x86-64 Linux. Functions return them negated: `return -ENOENT`.
 */

/** A negated error number, -4095..-1. */
export type Errno = number;
/** What a system call returns: a value of 0 or more, or an {@link Errno}. */
export type SysResult = number;

/** Operation not permitted. */
export const EPERM = 1;
/** No such file or directory. */
export const ENOENT = 2;
/** No such process. */
export const ESRCH = 3;
/** Interrupted system call. */
export const EINTR = 4;
/** Input/output error. */
export const EIO = 5;
/** No such device or address. */
export const ENXIO = 6;
/** Argument list too long. */
export const E2BIG = 7;
/** Exec format error. */
export const ENOEXEC = 8;
/** Bad file descriptor. */
export const EBADF = 9;
/** No child processes. */
export const ECHILD = 10;
/** Resource temporarily unavailable. */
export const EAGAIN = 11;
/** Cannot allocate memory. */
export const ENOMEM = 12;
/** Permission denied. */
export const EACCES = 13;
/** Bad address. */
export const EFAULT = 14;
/** Block device required. */
export const ENOTBLK = 15;
/** Device or resource busy. */
export const EBUSY = 16;
/** File exists. */
export const EEXIST = 17;
/** Invalid cross-device link. */
export const EXDEV = 18;
/** No such device. */
export const ENODEV = 19;
/** Not a directory. */
export const ENOTDIR = 20;
/** Is a directory. */
export const EISDIR = 21;
/** Invalid argument. */
export const EINVAL = 22;
/** Too many open files in system. */
export const ENFILE = 23;
/** Too many open files. */
export const EMFILE = 24;
/** Inappropriate ioctl for device. */
export const ENOTTY = 25;
/** Text file busy. */
export const ETXTBSY = 26;
/** File too large. */
export const EFBIG = 27;
/** No space left on device. */
export const ENOSPC = 28;
/** Illegal seek. */
export const ESPIPE = 29;
/** Read-only file system. */
export const EROFS = 30;
/** Too many links. */
export const EMLINK = 31;
/** Broken pipe. */
export const EPIPE = 32;
/** Numerical argument out of domain. */
export const EDOM = 33;
/** Numerical result out of range. */
export const ERANGE = 34;
/** Resource deadlock avoided. */
export const EDEADLK = 35;
/** File name too long. */
export const ENAMETOOLONG = 36;
/** No locks available. */
export const ENOLCK = 37;
/** Function not implemented. */
export const ENOSYS = 38;
/** Directory not empty. */
export const ENOTEMPTY = 39;
/** Too many levels of symbolic links. */
export const ELOOP = 40;
/** No message of desired type. */
export const ENOMSG = 42;
/** Identifier removed. */
export const EIDRM = 43;
/** Channel number out of range. */
export const ECHRNG = 44;
/** Level 2 not synchronized. */
export const EL2NSYNC = 45;
/** Level 3 halted. */
export const EL3HLT = 46;
/** Level 3 reset. */
export const EL3RST = 47;
/** Link number out of range. */
export const ELNRNG = 48;
/** Protocol driver not attached. */
export const EUNATCH = 49;
/** No CSI structure available. */
export const ENOCSI = 50;
/** Level 2 halted. */
export const EL2HLT = 51;
/** Invalid exchange. */
export const EBADE = 52;
/** Invalid request descriptor. */
export const EBADR = 53;
/** Exchange full. */
export const EXFULL = 54;
/** No anode. */
export const ENOANO = 55;
/** Invalid request code. */
export const EBADRQC = 56;
/** Invalid slot. */
export const EBADSLT = 57;
/** Bad font file format. */
export const EBFONT = 59;
/** Device not a stream. */
export const ENOSTR = 60;
/** No data available. */
export const ENODATA = 61;
/** Timer expired. */
export const ETIME = 62;
/** Out of streams resources. */
export const ENOSR = 63;
/** Machine is not on the network. */
export const ENONET = 64;
/** Package not installed. */
export const ENOPKG = 65;
/** Object is remote. */
export const EREMOTE = 66;
/** Link has been severed. */
export const ENOLINK = 67;
/** Advertise error. */
export const EADV = 68;
/** Srmount error. */
export const ESRMNT = 69;
/** Communication error on send. */
export const ECOMM = 70;
/** Protocol error. */
export const EPROTO = 71;
/** Multihop attempted. */
export const EMULTIHOP = 72;
/** RFS specific error. */
export const EDOTDOT = 73;
/** Bad message. */
export const EBADMSG = 74;
/** Value too large for defined data type. */
export const EOVERFLOW = 75;
/** Name not unique on network. */
export const ENOTUNIQ = 76;
/** File descriptor in bad state. */
export const EBADFD = 77;
/** Remote address changed. */
export const EREMCHG = 78;
/** Can not access a needed shared library. */
export const ELIBACC = 79;
/** Accessing a corrupted shared library. */
export const ELIBBAD = 80;
/** .lib section in a.out corrupted. */
export const ELIBSCN = 81;
/** Attempting to link in too many shared libraries. */
export const ELIBMAX = 82;
/** Cannot exec a shared library directly. */
export const ELIBEXEC = 83;
/** Invalid or incomplete multibyte or wide character. */
export const EILSEQ = 84;
/** Interrupted system call should be restarted. */
export const ERESTART = 85;
/** Streams pipe error. */
export const ESTRPIPE = 86;
/** Too many users. */
export const EUSERS = 87;
/** Socket operation on non-socket. */
export const ENOTSOCK = 88;
/** Destination address required. */
export const EDESTADDRREQ = 89;
/** Message too long. */
export const EMSGSIZE = 90;
/** Protocol wrong type for socket. */
export const EPROTOTYPE = 91;
/** Protocol not available. */
export const ENOPROTOOPT = 92;
/** Protocol not supported. */
export const EPROTONOSUPPORT = 93;
/** Socket type not supported. */
export const ESOCKTNOSUPPORT = 94;
/** Operation not supported. */
export const EOPNOTSUPP = 95;
/** Protocol family not supported. */
export const EPFNOSUPPORT = 96;
/** Address family not supported by protocol. */
export const EAFNOSUPPORT = 97;
/** Address already in use. */
export const EADDRINUSE = 98;
/** Cannot assign requested address. */
export const EADDRNOTAVAIL = 99;
/** Network is down. */
export const ENETDOWN = 100;
/** Network is unreachable. */
export const ENETUNREACH = 101;
/** Network dropped connection on reset. */
export const ENETRESET = 102;
/** Software caused connection abort. */
export const ECONNABORTED = 103;
/** Connection reset by peer. */
export const ECONNRESET = 104;
/** No buffer space available. */
export const ENOBUFS = 105;
/** Transport endpoint is already connected. */
export const EISCONN = 106;
/** Transport endpoint is not connected. */
export const ENOTCONN = 107;
/** Cannot send after transport endpoint shutdown. */
export const ESHUTDOWN = 108;
/** Too many references: cannot splice. */
export const ETOOMANYREFS = 109;
/** Connection timed out. */
export const ETIMEDOUT = 110;
/** Connection refused. */
export const ECONNREFUSED = 111;
/** Host is down. */
export const EHOSTDOWN = 112;
/** No route to host. */
export const EHOSTUNREACH = 113;
/** Operation already in progress. */
export const EALREADY = 114;
/** Operation now in progress. */
export const EINPROGRESS = 115;
/** Stale file handle. */
export const ESTALE = 116;
/** Structure needs cleaning. */
export const EUCLEAN = 117;
/** Not a XENIX named type file. */
export const ENOTNAM = 118;
/** No XENIX semaphores available. */
export const ENAVAIL = 119;
/** Is a named type file. */
export const EISNAM = 120;
/** Remote I/O error. */
export const EREMOTEIO = 121;
/** Disk quota exceeded. */
export const EDQUOT = 122;
/** No medium found. */
export const ENOMEDIUM = 123;
/** Wrong medium type. */
export const EMEDIUMTYPE = 124;
/** Operation canceled. */
export const ECANCELED = 125;
/** Required key not available. */
export const ENOKEY = 126;
/** Key has expired. */
export const EKEYEXPIRED = 127;
/** Key has been revoked. */
export const EKEYREVOKED = 128;
/** Key was rejected by service. */
export const EKEYREJECTED = 129;
/** Owner died. */
export const EOWNERDEAD = 130;
/** State not recoverable. */
export const ENOTRECOVERABLE = 131;
/** Operation not possible due to RF-kill. */
export const ERFKILL = 132;
/** Memory page has hardware error. */
export const EHWPOISON = 133;
/** Same as EAGAIN on Linux. */
export const EWOULDBLOCK = EAGAIN;
/** Same as EOPNOTSUPP on Linux. */
export const ENOTSUP = EOPNOTSUPP;

/**
 * Internal codes of the kernel, `include/linux/errno.h`. They end at the system call exit path and never reach a
 * register.
 */
export const ERESTARTSYS = 512;
export const ERESTARTNOINTR = 513;
export const ERESTARTNOHAND = 514;
export const ERESTART_RESTARTBLOCK = 516;
/** What was begun goes on: the call is made again when it has come further. */
export const EIOCBQUEUED = 529;

const NAMES: readonly (string | undefined)[] = /* @__PURE__ */ (() => {
  const names: (string | undefined)[] = [];
  names[1] = 'EPERM';
  names[2] = 'ENOENT';
  names[3] = 'ESRCH';
  names[4] = 'EINTR';
  names[5] = 'EIO';
  names[6] = 'ENXIO';
  names[7] = 'E2BIG';
  names[8] = 'ENOEXEC';
  names[9] = 'EBADF';
  names[10] = 'ECHILD';
  names[11] = 'EAGAIN';
  names[12] = 'ENOMEM';
  names[13] = 'EACCES';
  names[14] = 'EFAULT';
  names[15] = 'ENOTBLK';
  names[16] = 'EBUSY';
  names[17] = 'EEXIST';
  names[18] = 'EXDEV';
  names[19] = 'ENODEV';
  names[20] = 'ENOTDIR';
  names[21] = 'EISDIR';
  names[22] = 'EINVAL';
  names[23] = 'ENFILE';
  names[24] = 'EMFILE';
  names[25] = 'ENOTTY';
  names[26] = 'ETXTBSY';
  names[27] = 'EFBIG';
  names[28] = 'ENOSPC';
  names[29] = 'ESPIPE';
  names[30] = 'EROFS';
  names[31] = 'EMLINK';
  names[32] = 'EPIPE';
  names[33] = 'EDOM';
  names[34] = 'ERANGE';
  names[35] = 'EDEADLK';
  names[36] = 'ENAMETOOLONG';
  names[37] = 'ENOLCK';
  names[38] = 'ENOSYS';
  names[39] = 'ENOTEMPTY';
  names[40] = 'ELOOP';
  names[42] = 'ENOMSG';
  names[43] = 'EIDRM';
  names[44] = 'ECHRNG';
  names[45] = 'EL2NSYNC';
  names[46] = 'EL3HLT';
  names[47] = 'EL3RST';
  names[48] = 'ELNRNG';
  names[49] = 'EUNATCH';
  names[50] = 'ENOCSI';
  names[51] = 'EL2HLT';
  names[52] = 'EBADE';
  names[53] = 'EBADR';
  names[54] = 'EXFULL';
  names[55] = 'ENOANO';
  names[56] = 'EBADRQC';
  names[57] = 'EBADSLT';
  names[59] = 'EBFONT';
  names[60] = 'ENOSTR';
  names[61] = 'ENODATA';
  names[62] = 'ETIME';
  names[63] = 'ENOSR';
  names[64] = 'ENONET';
  names[65] = 'ENOPKG';
  names[66] = 'EREMOTE';
  names[67] = 'ENOLINK';
  names[68] = 'EADV';
  names[69] = 'ESRMNT';
  names[70] = 'ECOMM';
  names[71] = 'EPROTO';
  names[72] = 'EMULTIHOP';
  names[73] = 'EDOTDOT';
  names[74] = 'EBADMSG';
  names[75] = 'EOVERFLOW';
  names[76] = 'ENOTUNIQ';
  names[77] = 'EBADFD';
  names[78] = 'EREMCHG';
  names[79] = 'ELIBACC';
  names[80] = 'ELIBBAD';
  names[81] = 'ELIBSCN';
  names[82] = 'ELIBMAX';
  names[83] = 'ELIBEXEC';
  names[84] = 'EILSEQ';
  names[85] = 'ERESTART';
  names[86] = 'ESTRPIPE';
  names[87] = 'EUSERS';
  names[88] = 'ENOTSOCK';
  names[89] = 'EDESTADDRREQ';
  names[90] = 'EMSGSIZE';
  names[91] = 'EPROTOTYPE';
  names[92] = 'ENOPROTOOPT';
  names[93] = 'EPROTONOSUPPORT';
  names[94] = 'ESOCKTNOSUPPORT';
  names[95] = 'EOPNOTSUPP';
  names[96] = 'EPFNOSUPPORT';
  names[97] = 'EAFNOSUPPORT';
  names[98] = 'EADDRINUSE';
  names[99] = 'EADDRNOTAVAIL';
  names[100] = 'ENETDOWN';
  names[101] = 'ENETUNREACH';
  names[102] = 'ENETRESET';
  names[103] = 'ECONNABORTED';
  names[104] = 'ECONNRESET';
  names[105] = 'ENOBUFS';
  names[106] = 'EISCONN';
  names[107] = 'ENOTCONN';
  names[108] = 'ESHUTDOWN';
  names[109] = 'ETOOMANYREFS';
  names[110] = 'ETIMEDOUT';
  names[111] = 'ECONNREFUSED';
  names[112] = 'EHOSTDOWN';
  names[113] = 'EHOSTUNREACH';
  names[114] = 'EALREADY';
  names[115] = 'EINPROGRESS';
  names[116] = 'ESTALE';
  names[117] = 'EUCLEAN';
  names[118] = 'ENOTNAM';
  names[119] = 'ENAVAIL';
  names[120] = 'EISNAM';
  names[121] = 'EREMOTEIO';
  names[122] = 'EDQUOT';
  names[123] = 'ENOMEDIUM';
  names[124] = 'EMEDIUMTYPE';
  names[125] = 'ECANCELED';
  names[126] = 'ENOKEY';
  names[127] = 'EKEYEXPIRED';
  names[128] = 'EKEYREVOKED';
  names[129] = 'EKEYREJECTED';
  names[130] = 'EOWNERDEAD';
  names[131] = 'ENOTRECOVERABLE';
  names[132] = 'ERFKILL';
  names[133] = 'EHWPOISON';
  return names;
})();

/** Name of the error number `errno` (positive), such as `ENOENT`; `errno N` for one that Linux does not define. */
export function errnoName(errno: number): string {
  return NAMES[errno] ?? `errno ${errno}`;
}

/** True for a negated error number. */
export function isErrno(result: number): boolean {
  return result < 0 && result >= -4095;
}

const TEXTS: readonly (string | undefined)[] = /* @__PURE__ */ (() => {
  const texts: (string | undefined)[] = [];
  texts[EPERM] = 'operation not permitted';
  texts[ENOENT] = 'no such file or directory';
  texts[ESRCH] = 'no such process';
  texts[EINTR] = 'interrupted system call';
  texts[EIO] = 'input/output error';
  texts[ENXIO] = 'no such device or address';
  texts[E2BIG] = 'argument list too long';
  texts[ENOEXEC] = 'exec format error';
  texts[EBADF] = 'bad file descriptor';
  texts[ECHILD] = 'no child processes';
  texts[EAGAIN] = 'resource temporarily unavailable';
  texts[ENOMEM] = 'cannot allocate memory';
  texts[EACCES] = 'permission denied';
  texts[EFAULT] = 'bad address';
  texts[ENOTBLK] = 'block device required';
  texts[EBUSY] = 'device or resource busy';
  texts[EEXIST] = 'file exists';
  texts[EXDEV] = 'invalid cross-device link';
  texts[ENODEV] = 'no such device';
  texts[ENOTDIR] = 'not a directory';
  texts[EISDIR] = 'is a directory';
  texts[EINVAL] = 'invalid argument';
  texts[ENFILE] = 'too many open files in system';
  texts[EMFILE] = 'too many open files';
  texts[ENOTTY] = 'inappropriate ioctl for device';
  texts[ETXTBSY] = 'text file busy';
  texts[EFBIG] = 'file too large';
  texts[ENOSPC] = 'no space left on device';
  texts[ESPIPE] = 'illegal seek';
  texts[EROFS] = 'read-only file system';
  texts[EMLINK] = 'too many links';
  texts[EPIPE] = 'broken pipe';
  texts[EDOM] = 'numerical argument out of domain';
  texts[ERANGE] = 'numerical result out of range';
  texts[EDEADLK] = 'resource deadlock avoided';
  texts[ENAMETOOLONG] = 'file name too long';
  texts[ENOLCK] = 'no locks available';
  texts[ENOSYS] = 'function not implemented';
  texts[ENOTEMPTY] = 'directory not empty';
  texts[ELOOP] = 'too many levels of symbolic links';
  texts[ENOMSG] = 'no message of desired type';
  texts[EIDRM] = 'identifier removed';
  texts[ECHRNG] = 'channel number out of range';
  texts[EL2NSYNC] = 'level 2 not synchronized';
  texts[EL3HLT] = 'level 3 halted';
  texts[EL3RST] = 'level 3 reset';
  texts[ELNRNG] = 'link number out of range';
  texts[EUNATCH] = 'protocol driver not attached';
  texts[ENOCSI] = 'no CSI structure available';
  texts[EL2HLT] = 'level 2 halted';
  texts[EBADE] = 'invalid exchange';
  texts[EBADR] = 'invalid request descriptor';
  texts[EXFULL] = 'exchange full';
  texts[ENOANO] = 'no anode';
  texts[EBADRQC] = 'invalid request code';
  texts[EBADSLT] = 'invalid slot';
  texts[EBFONT] = 'bad font file format';
  texts[ENOSTR] = 'device not a stream';
  texts[ENODATA] = 'no data available';
  texts[ETIME] = 'timer expired';
  texts[ENOSR] = 'out of streams resources';
  texts[ENONET] = 'machine is not on the network';
  texts[ENOPKG] = 'package not installed';
  texts[EREMOTE] = 'object is remote';
  texts[ENOLINK] = 'link has been severed';
  texts[EADV] = 'advertise error';
  texts[ESRMNT] = 'srmount error';
  texts[ECOMM] = 'communication error on send';
  texts[EPROTO] = 'protocol error';
  texts[EMULTIHOP] = 'multihop attempted';
  texts[EDOTDOT] = 'rFS specific error';
  texts[EBADMSG] = 'bad message';
  texts[EOVERFLOW] = 'value too large for defined data type';
  texts[ENOTUNIQ] = 'name not unique on network';
  texts[EBADFD] = 'file descriptor in bad state';
  texts[EREMCHG] = 'remote address changed';
  texts[ELIBACC] = 'can not access a needed shared library';
  texts[ELIBBAD] = 'accessing a corrupted shared library';
  texts[ELIBSCN] = '.lib section in a.out corrupted';
  texts[ELIBMAX] = 'attempting to link in too many shared libraries';
  texts[ELIBEXEC] = 'cannot exec a shared library directly';
  texts[EILSEQ] = 'invalid or incomplete multibyte or wide character';
  texts[ERESTART] = 'interrupted system call should be restarted';
  texts[ESTRPIPE] = 'streams pipe error';
  texts[EUSERS] = 'too many users';
  texts[ENOTSOCK] = 'socket operation on non-socket';
  texts[EDESTADDRREQ] = 'destination address required';
  texts[EMSGSIZE] = 'message too long';
  texts[EPROTOTYPE] = 'protocol wrong type for socket';
  texts[ENOPROTOOPT] = 'protocol not available';
  texts[EPROTONOSUPPORT] = 'protocol not supported';
  texts[ESOCKTNOSUPPORT] = 'socket type not supported';
  texts[EOPNOTSUPP] = 'operation not supported';
  texts[EPFNOSUPPORT] = 'protocol family not supported';
  texts[EAFNOSUPPORT] = 'address family not supported by protocol';
  texts[EADDRINUSE] = 'address already in use';
  texts[EADDRNOTAVAIL] = 'cannot assign requested address';
  texts[ENETDOWN] = 'network is down';
  texts[ENETUNREACH] = 'network is unreachable';
  texts[ENETRESET] = 'network dropped connection on reset';
  texts[ECONNABORTED] = 'software caused connection abort';
  texts[ECONNRESET] = 'connection reset by peer';
  texts[ENOBUFS] = 'no buffer space available';
  texts[EISCONN] = 'transport endpoint is already connected';
  texts[ENOTCONN] = 'transport endpoint is not connected';
  texts[ESHUTDOWN] = 'cannot send after transport endpoint shutdown';
  texts[ETOOMANYREFS] = 'too many references: cannot splice';
  texts[ETIMEDOUT] = 'connection timed out';
  texts[ECONNREFUSED] = 'connection refused';
  texts[EHOSTDOWN] = 'host is down';
  texts[EHOSTUNREACH] = 'no route to host';
  texts[EALREADY] = 'operation already in progress';
  texts[EINPROGRESS] = 'operation now in progress';
  texts[ESTALE] = 'stale file handle';
  texts[EUCLEAN] = 'structure needs cleaning';
  texts[ENOTNAM] = 'not a XENIX named type file';
  texts[ENAVAIL] = 'no XENIX semaphores available';
  texts[EISNAM] = 'is a named type file';
  texts[EREMOTEIO] = 'remote I/O error';
  texts[EDQUOT] = 'disk quota exceeded';
  texts[ENOMEDIUM] = 'no medium found';
  texts[EMEDIUMTYPE] = 'wrong medium type';
  texts[ECANCELED] = 'operation canceled';
  texts[ENOKEY] = 'required key not available';
  texts[EKEYEXPIRED] = 'key has expired';
  texts[EKEYREVOKED] = 'key has been revoked';
  texts[EKEYREJECTED] = 'key was rejected by service';
  texts[EOWNERDEAD] = 'owner died';
  texts[ENOTRECOVERABLE] = 'state not recoverable';
  texts[ERFKILL] = 'operation not possible due to RF-kill';
  texts[EHWPOISON] = 'memory page has hardware error';
  return texts;
})();

/** What the error number `errno` (positive) means, as strerror(3) but beginning in lower case. */
export function errnoText(errno: number): string {
  return TEXTS[errno] ?? `error ${errno}`;
}
