/** The frame of a signal handler, x86-64: `struct rt_sigframe` of arch/x86/include/asm/sigframe.h and what it holds. */

/** `struct rt_sigframe`: return address, `struct ucontext`, `siginfo_t`. */
export const SIGFRAME_PRETCODE = 0;
export const SIGFRAME_UC = 8;
export const SIGFRAME_INFO = 312;
export const SIZEOF_RT_SIGFRAME = 440;

/** `struct ucontext`, with the kernel's 8-byte `uc_sigmask`. */
export const SIZEOF_UCONTEXT = 304;
export const UC_FLAGS = 0;
export const UC_LINK = 8;
export const UC_STACK = 16;
export const UC_MCONTEXT = 40;
export const UC_SIGMASK = 296;

/** FP state beyond FXSAVE is in the frame. */
export const UC_FP_XSTATE = 0x1;
/** `ss` in the frame is the interrupted one. */
export const UC_SIGCONTEXT_SS = 0x2;
/** sigreturn restores `ss` as it is in the frame. */
export const UC_STRICT_RESTORE_SS = 0x4;

/** `struct sigcontext`; offsets from its start. */
export const SIZEOF_SIGCONTEXT = 256;
export const SC_R8 = 0;
export const SC_R9 = 8;
export const SC_R10 = 16;
export const SC_R11 = 24;
export const SC_R12 = 32;
export const SC_R13 = 40;
export const SC_R14 = 48;
export const SC_R15 = 56;
export const SC_RDI = 64;
export const SC_RSI = 72;
export const SC_RBP = 80;
export const SC_RBX = 88;
export const SC_RDX = 96;
export const SC_RAX = 104;
export const SC_RCX = 112;
export const SC_RSP = 120;
export const SC_RIP = 128;
export const SC_EFLAGS = 136;
export const SC_CS = 144;
export const SC_GS = 146;
export const SC_FS = 148;
export const SC_SS = 150;
export const SC_ERR = 152;
export const SC_TRAPNO = 160;
export const SC_OLDMASK = 168;
export const SC_CR2 = 176;
export const SC_FPSTATE = 184;

/** Bytes of the FXSAVE area, and where software may write in it. */
export const FXSAVE_BYTES = 512;
export const FXSAVE_SW_BYTES = 464;
/** `struct _fpx_sw_bytes` in that place. */
export const FPX_SW_MAGIC1 = 0;
export const FPX_SW_EXTENDED_SIZE = 4;
export const FPX_SW_XFEATURES = 8;
export const FPX_SW_XSTATE_SIZE = 16;
export const FP_XSTATE_MAGIC1 = 0x46505853;
export const FP_XSTATE_MAGIC2 = 0x46505845;
export const FP_XSTATE_MAGIC2_BYTES = 4;
/** XSTATE_BV of the XSAVE header, behind the FXSAVE area. */
export const XSAVE_XSTATE_BV = 512;
export const XSAVE_XCOMP_BV = 520;
export const XSAVE_HEADER_BYTES = 64;
