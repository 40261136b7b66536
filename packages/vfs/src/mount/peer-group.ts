import type { Mount } from './mount.js';

/** Mounts that see each other's mount and unmount events, and the slaves that see them too: mount_namespaces(7). */
export class PeerGroup {
  /** As in /proc/PID/mountinfo `shared:N`. */
  readonly id: number;
  readonly members = new Set<Mount>();
  readonly slaves = new Set<Mount>();

  constructor(id: number) {
    this.id = id;
  }
}

/** Makes `mount` a member of `group`. */
export function joinPeers(mount: Mount, group: PeerGroup): void {
  leavePeers(mount);
  group.members.add(mount);
  mount.peers = group;
}

/** Makes `mount` a slave of `group`. */
export function joinMaster(mount: Mount, group: PeerGroup): void {
  leaveMaster(mount);
  group.slaves.add(mount);
  mount.master = group;
}

/** Takes `mount` out of its peer group; slaves of a group without members pass to the master of its last member. */
export function leavePeers(mount: Mount): void {
  const group = mount.peers;
  if (group === null) return;
  mount.peers = null;
  group.members.delete(mount);
  if (group.members.size > 0) return;
  for (const slave of group.slaves) {
    leaveMaster(slave);
    if (mount.master !== null) joinMaster(slave, mount.master);
  }
}

export function leaveMaster(mount: Mount): void {
  mount.master?.slaves.delete(mount);
  mount.master = null;
}

/**
 * The mounts that an event on `mount` reaches: its peers, their slaves, and the peers and slaves of those. Each with
 * the mount it hears the event from; `mount` itself is not among them.
 */
export function propagationTargets(mount: Mount): Mount[] {
  const seen = new Set<Mount>([mount]);
  const targets: Mount[] = [];
  const groups: PeerGroup[] = [];
  if (mount.peers !== null) groups.push(mount.peers);
  for (let i = 0; i < groups.length; i++) {
    for (const reached of [...groups[i]!.members, ...groups[i]!.slaves]) {
      if (seen.has(reached)) continue;
      seen.add(reached);
      targets.push(reached);
      if (reached.peers !== null && !groups.includes(reached.peers)) groups.push(reached.peers);
    }
  }
  return targets;
}
