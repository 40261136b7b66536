// What runs a sandbox in this process. It is bundled apart, with the kernel, and loaded by the commands that need it.
export {
  CREATOR_FD,
  LISTEN_FD,
  describePlatforms,
  describeSyscalls,
  hostFilesConfig,
  hostTerminal,
  runForeground,
  runSentry,
  runUnlisted,
} from '@tsv/boot';
