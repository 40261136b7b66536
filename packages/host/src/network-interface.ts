import native from '../native/index.js';

/** Network interfaces of the host, netdevice(7). */
export const { interfaceIndex, setInterfaceUp, openTun, setTunOffload } = native;

/** Frames of packet sockets, packet(7), and of TUN and TAP devices, in batches: see {@link PacketFd}. */
export const { openPacketSocket, receiveFrames, sendFrames, readFrames, writeFrames } = native;
