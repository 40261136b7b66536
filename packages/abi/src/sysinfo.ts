/** `struct sysinfo`, sysinfo(2). */

export const SIZEOF_SYSINFO = 112;
export const SYSINFO_UPTIME = 0;
export const SYSINFO_LOADS = 8;
export const SYSINFO_TOTALRAM = 32;
export const SYSINFO_FREERAM = 40;
export const SYSINFO_SHAREDRAM = 48;
export const SYSINFO_BUFFERRAM = 56;
export const SYSINFO_PROCS = 80;
export const SYSINFO_MEM_UNIT = 104;
