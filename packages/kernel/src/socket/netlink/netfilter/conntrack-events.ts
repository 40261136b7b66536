import {
  IPCTNL_MSG_CT_DELETE,
  IPCTNL_MSG_CT_NEW,
  NETLINK_NETFILTER,
  NFNLGRP_CONNTRACK_DESTROY,
  NFNLGRP_CONNTRACK_NEW,
  NFNLGRP_CONNTRACK_UPDATE,
  NFNL_SUBSYS_CTNETLINK,
  NLM_F_CREATE,
  NLM_F_EXCL,
} from '@tsv/abi';
import type { ConntrackListener, Flow } from '@tsv/netstack';
import type { NetNamespace } from '../../../namespace/net-namespace.js';
import { notifyGroup } from '../notify-group.js';
import { writeEndedFlow, writeFlowEvent } from './flow-message.js';

/** Tells the sockets that listen to tracked connections of their namespace: `conntrack -E`. */
export class ConntrackEvents implements ConntrackListener {
  readonly #net: NetNamespace;

  constructor(net: NetNamespace) {
    this.#net = net;
  }

  flowAdded(flow: Flow, nowMs: number): void {
    this.#tellNew(NFNLGRP_CONNTRACK_NEW, NLM_F_CREATE | NLM_F_EXCL, flow, nowMs);
  }

  flowChanged(flow: Flow, nowMs: number): void {
    this.#tellNew(NFNLGRP_CONNTRACK_UPDATE, 0, flow, nowMs);
  }

  flowRemoved(flow: Flow): void {
    notifyGroup(this.#net, NETLINK_NETFILTER, NFNLGRP_CONNTRACK_DESTROY, (writer) => {
      writer.begin((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE, 0, 0, 0);
      writeEndedFlow(writer, flow);
    });
  }

  #tellNew(group: number, flags: number, flow: Flow, nowMs: number): void {
    notifyGroup(this.#net, NETLINK_NETFILTER, group, (writer) => {
      writer.begin((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW, flags, 0, 0);
      writeFlowEvent(writer, flow, nowMs);
    });
  }
}
