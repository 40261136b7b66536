import type { Cgroup } from '../cgroup/cgroup.js';
import type { UserNamespace } from './user-namespace.js';

/** cgroup_namespaces(7): which cgroup its processes see as the root. */
export class CgroupNamespace {
  readonly userNs: UserNamespace;
  readonly root: Cgroup;

  constructor(userNs: UserNamespace, root: Cgroup) {
    this.userNs = userNs;
    this.root = root;
  }
}
