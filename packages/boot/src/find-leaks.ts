import type { Kernel } from '@tsv/kernel';
import { UsageKind } from '@tsv/platform';
import type { Container } from './container/container.js';

/**
 * What is left of guests that have all ended: processes, references to the mounts of their containers, and pages of
 * their memory. Nothing, where no reference leaks. A line each.
 */
export function findLeaks(kernel: Kernel, containers: readonly Container[]): string[] {
  const leaks: string[] = [];
  for (const group of kernel.tasks.threadGroups()) {
    const { pid, leader, containerId } = group;
    leaks.push(`process ${pid} (${leader.comm}) of container "${containerId}" is there still`);
  }
  for (const { id, files } of containers) {
    const count = files.namespace.refCount - 1;
    if (count > 0) leaks.push(`the mounts of container "${id}" are referred to by ${count} that have ended`);
  }
  const pageCount = kernel.memoryFile.pageCount(UsageKind.ANONYMOUS);
  if (pageCount > 0) leaks.push(`${pageCount} pages of processes that have ended are in use`);
  return leaks;
}
