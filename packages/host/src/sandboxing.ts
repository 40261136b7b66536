import native from '../native/index.js';

/** `handled` bit of {@link createLandlockRuleset}: no TCP port may be bound or connected to. */
export const LANDLOCK_DENY_TCP = 1;

/** Confinement of this process, or of the calling thread. None of it can be undone. */
export const {
  confineProcess,
  installSeccompFilter,
  attachDeviceFilter,
  createLandlockRuleset,
  restrictThread,
  setThreadCapabilities,
  getThreadCapabilities,
} = native;
