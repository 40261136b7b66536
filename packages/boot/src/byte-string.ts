/**
 * Names and texts inside the kernel are byte strings: one character a byte. Text from outside (config.json, the command
 * line) is UTF-8.
 */
export function toByteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The text that a byte string holds, as UTF-8. */
export function fromByteString(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
