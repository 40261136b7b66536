//! Frames of network devices, in batches.

use super::arguments::{Bytes, Fd, I32, I32s, Len, U32};
use super::results::{count, descriptor, status};
use crate::frames;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// A non-blocking packet(7) socket for all frames that come in by the interface `index`; with `hasHeader` 1 there is a
/// virtio-net header in front of each. Returns a descriptor. Errors: EPERM without CAP_NET_RAW, ENODEV.
#[napi]
pub fn open_packet_socket(index: I32, has_header: I32) -> i32 {
    descriptor(|| frames::packet_socket(index.0, has_header.0 != 0))
}

/// TUNSETOFFLOAD: what a TUN or TAP device may hand over unfinished, TUN_F_*.
#[napi]
pub fn set_tun_offload(fd: Fd, flags: U32) -> i32 {
    status(|| frames::set_tun_offload(fd.get()?, flags.0))
}

/// Receives frames of a packet socket: the i-th at `i * slot` of `buffer`, its length in `lens[i]`. Returns how many.
/// Errors: EAGAIN if there are none.
#[napi]
pub fn receive_frames(fd: Fd, buffer: Bytes, slot: Len, lens: I32s) -> i32 {
    count(|| frames::receive(fd.get()?, buffer.all(), slot.0, lens.all()))
}

/// Sends frames `from` to `to` by a packet socket: the i-th lies in `buffer` up to `ends[i]`, behind the one before it.
/// Returns how many went out. Errors: those of the first: EAGAIN, ENOBUFS, EMSGSIZE.
#[napi]
pub fn send_frames(fd: Fd, buffer: Bytes, ends: I32s, from: Len, to: Len) -> Result<i32> {
    let ends = ends.part(Len(0), to)?;
    Ok(count(|| frames::send(fd.get()?, buffer.all(), ends, from.0)))
}

/// As `receiveFrames`, of a TUN or TAP device.
#[napi]
pub fn read_frames(fd: Fd, buffer: Bytes, slot: Len, lens: I32s) -> i32 {
    count(|| frames::read(fd.get()?, buffer.all(), slot.0, lens.all()))
}

/// As `sendFrames`, by a TUN or TAP device.
#[napi]
pub fn write_frames(fd: Fd, buffer: Bytes, ends: I32s, from: Len, to: Len) -> Result<i32> {
    let ends = ends.part(Len(0), to)?;
    Ok(count(|| frames::write(fd.get()?, buffer.all(), ends, from.0)))
}
