/** Why a sandbox cannot start or go on: what was attempted, a colon, the state. */
export class SandboxError extends Error {
  override readonly name = 'SandboxError';
  /** Exit status that the command line gives: 128 for our own failures, 126 and 127 for a program that cannot run. */
  readonly exitStatus: number;

  constructor(message: string, exitStatus = 128) {
    super(message);
    this.exitStatus = exitStatus;
  }
}
