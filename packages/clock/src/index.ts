export { VirtualClock, type Clock } from './clock.js';
export { Timer, TimerQueue } from './timer-queue.js';
