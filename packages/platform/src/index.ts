export * from './context-layout.generated.js';
export {
  CHUNK_PAGES,
  CHUNK_SHIFT,
  PAGE_BYTES,
  PAGE_SHIFT,
  USAGE_KIND_COUNT,
  UsageKind,
  chunkAt,
  chunkOf,
  type MemoryFile,
} from './memory-file.js';
export type {
  AddressSpace,
  CodeMemory,
  Context,
  CpuAnswerPlace,
  Platform,
  PlatformOptions,
  PlatformType,
} from './platform.js';
export { PlatformRegistry } from './registry.js';
export { ContextPage } from './registers.js';
