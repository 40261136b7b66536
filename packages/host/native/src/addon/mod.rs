//! What JavaScript calls: decode, call, encode. A file each man-page topic.

mod arguments;
mod callback;
mod clock;
mod event_loop;
mod fd_watcher;
mod files;
mod frames;
mod names;
mod namespaces;
mod network;
mod pipes;
mod pool;
mod process;
mod results;
mod sandboxing;
mod sockets;
mod terminals;
mod watchdog;
mod xattrs;
