import { SettableFile, parseSetting } from './generated-file.js';
import type { ProcFileSystem } from './proc-file-system.js';

/** CORENAME_MAX_SIZE, with the NUL. */
const PATTERN_BYTES_MAX = 128;

/** /proc/sys/kernel/core_pattern and core_uses_pid, core(5). A pipe to a program can be set; no program gets a dump. */
export function coreSysctls(fs: ProcFileSystem): [name: string, file: SettableFile][] {
  const { coreSettings } = fs.kernel;
  const pattern = new SettableFile(
    fs,
    () => `${coreSettings.pattern}\n`,
    (text) => {
      coreSettings.pattern = text.slice(0, PATTERN_BYTES_MAX - 1);
      return 0;
    },
  );
  const usesPid = new SettableFile(
    fs,
    () => `${coreSettings.usesPid ? 1 : 0}\n`,
    (text) => {
      const value = parseSetting(text, 0, 2 ** 31 - 1);
      if (value < 0) return value;
      coreSettings.usesPid = value !== 0;
      return 0;
    },
  );
  return [
    ['core_pattern', pattern],
    ['core_uses_pid', usesPid],
  ];
}
