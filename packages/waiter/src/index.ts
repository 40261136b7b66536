export { WaitEntry, WaitQueue } from './wait-queue.js';
