/** Bytes of a file that say what it is: BINPRM_BUF_SIZE. */
export const HEAD_BYTES = 256;

/** The first line of a script, execve(2): the interpreter and at most one argument for it. */
export interface ScriptLine {
  readonly interpreter: string;
  readonly argument: string | null;
}

/**
 * Parses `#!interpreter [argument]`. Returns null for what is not a script, or names no interpreter, or whose
 * interpreter's name does not end within the bytes (then it cannot be run, ENOEXEC). A long argument is cut.
 */
export function parseScriptLine(head: Uint8Array, len: number): ScriptLine | null {
  if (len < 2 || head[0] !== 0x23 || head[1] !== 0x21) return null;
  const text = String.fromCharCode(...head.subarray(2, len));
  const lineEnd = text.search(/[\n\0]/);
  const line = (lineEnd < 0 ? text : text.slice(0, lineEnd)).replace(/^[ \t]+|[ \t]+$/g, '');
  if (line === '') return null;
  const nameEnd = line.search(/[ \t]/);
  if (nameEnd < 0) {
    // Without an end of line the name may have been cut.
    const isWhole = lineEnd >= 0 || len < HEAD_BYTES;
    return isWhole ? { interpreter: line, argument: null } : null;
  }
  return { interpreter: line.slice(0, nameEnd), argument: line.slice(nameEnd).replace(/^[ \t]+/, '') };
}
