//! What statx(2) and statfs(2) say, as doubles in a caller's array. The indices are those of `src/stat.ts` and
//! `src/statfs.ts`.

use rustix::fs::{StatFs, Statx, StatxTimestamp};

/// Fields of a stat.
pub const STAT_COUNT: usize = 24;
/// Fields of a statfs.
pub const STATFS_COUNT: usize = 9;

/// Stores a stat. Returns None when the array is too short.
#[allow(
    clippy::cast_precision_loss,
    reason = "inode numbers above 2^53 are rounded, as `src/stat.ts` says"
)]
pub fn store(stat: &Statx, fields: &mut [f64]) -> Option<()> {
    let numbers = [
        f64::from(stat.stx_mask),
        f64::from(stat.stx_mode),
        stat.stx_ino as f64,
        f64::from(stat.stx_dev_major),
        f64::from(stat.stx_dev_minor),
        f64::from(stat.stx_nlink),
        f64::from(stat.stx_uid),
        f64::from(stat.stx_gid),
        f64::from(stat.stx_rdev_major),
        f64::from(stat.stx_rdev_minor),
        stat.stx_size as f64,
        f64::from(stat.stx_blksize),
        stat.stx_blocks as f64,
        seconds(&stat.stx_atime),
        f64::from(stat.stx_atime.tv_nsec),
        seconds(&stat.stx_mtime),
        f64::from(stat.stx_mtime.tv_nsec),
        seconds(&stat.stx_ctime),
        f64::from(stat.stx_ctime.tv_nsec),
        seconds(&stat.stx_btime),
        f64::from(stat.stx_btime.tv_nsec),
        stat.stx_mnt_id as f64,
        stat.stx_attributes.bits() as f64,
        stat.stx_attributes_mask.bits() as f64,
    ];
    const { assert!(STAT_COUNT == 24) };
    fields.get_mut(..STAT_COUNT)?.copy_from_slice(&numbers);
    Some(())
}

/// Stores a statfs. Returns None when the array is too short.
#[allow(clippy::cast_precision_loss, reason = "counts of blocks are below 2^53")]
pub fn store_statfs(stat: &StatFs, fields: &mut [f64]) -> Option<()> {
    let numbers = [
        stat.f_type as f64,
        stat.f_bsize as f64,
        stat.f_blocks as f64,
        stat.f_bfree as f64,
        stat.f_bavail as f64,
        stat.f_files as f64,
        stat.f_ffree as f64,
        stat.f_namelen as f64,
        stat.f_flags as f64,
    ];
    fields.get_mut(..STATFS_COUNT)?.copy_from_slice(&numbers);
    Some(())
}

#[allow(clippy::cast_precision_loss, reason = "times are below 2^53 seconds")]
fn seconds(time: &StatxTimestamp) -> f64 {
    time.tv_sec as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

    #[test]
    fn a_short_array_is_refused_and_left_alone() {
        let stat = statx(CWD, c"/", AtFlags::empty(), StatxFlags::BASIC_STATS).expect("statx");
        let mut short = [7.0; STAT_COUNT - 1];
        assert_eq!(store(&stat, &mut short), None);
        assert!(short.iter().all(|field| *field == 7.0));
    }

    #[test]
    fn fields_are_where_typescript_reads_them() {
        let stat = statx(CWD, c"/", AtFlags::empty(), StatxFlags::BASIC_STATS).expect("statx");
        let mut fields = [0.0; STAT_COUNT];
        store(&stat, &mut fields).expect("room");
        assert_eq!(
            [fields[1], fields[5]],
            [f64::from(stat.stx_mode), f64::from(stat.stx_nlink)]
        );
    }
}
