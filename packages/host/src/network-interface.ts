import native from '../native/index.js';

/** Network interfaces of the host, netdevice(7). */
export const { interfaceIndex, setInterfaceUp, openTun } = native;
