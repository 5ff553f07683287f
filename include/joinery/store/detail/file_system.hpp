// The file system under a store: is it local, and is there room?
//
// Purpose: LMDB shares memory between processes through the file and trusts file locks; over a
// network neither holds, so that such a place is refused before anything is written to it.
// Invariants: none.
// Thread-safety: pure functions of the system's state.
#pragma once

#include <sys/statvfs.h>
#ifdef __linux__
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#else
#include <sys/mount.h>
#include <sys/param.h>
#endif

#include <array>
#include <limits>

#include "joinery/store/detail/posix_file.hpp"

namespace joinery::store::detail {

/// The name of a shared file system by Linux' magic number for it, or empty. FUSE counts when no
/// local block device is beneath it (`device_major` 0): sshfs, cloud drives, folders shared with a
/// virtual machine's host.
constexpr std::string_view remote_file_system(std::uint32_t magic, unsigned device_major) {
  struct kind {
    std::uint32_t magic;
    std::string_view name;
  };
  constexpr std::array kinds{
      kind{0x00006969, "NFS"},    kind{0x0000517B, "SMB"},    kind{0xFF534D42, "CIFS"},
      kind{0xFE534D42, "SMB2"},   kind{0x01021997, "9P"},     kind{0x00C36400, "Ceph"},
      kind{0x5346414F, "AFS"},    kind{0x6B414653, "AFS"},    kind{0x73757245, "Coda"},
      kind{0x0000564C, "NCP"},    kind{0x0BD00BD0, "Lustre"}, kind{0x47504653, "GPFS"},
      kind{0x7461636F, "OCFS2"},  kind{0x01161970, "GFS2"},   kind{0x19830326, "BeeGFS"},
      kind{0x786F4256, "vboxsf"},
  };
  for (const auto& k : kinds) {
    if (k.magic == magic) return k.name;
  }
  constexpr std::uint32_t fuse = 0x65735546;
  return magic == fuse && device_major == 0 ? "FUSE without a local device" : std::string_view{};
}

/// What network file system a directory is on; empty for a local one.
inline result<std::string> network_file_system(const std::string& directory) {
  std::string found;
#ifdef __linux__
  struct statfs system {};
  struct stat info {};
  if (::statfs(directory.c_str(), &system) != 0 || ::stat(directory.c_str(), &info) != 0) {
    return system_error(errno, "statfs", directory);
  }
  found = remote_file_system(static_cast<std::uint32_t>(system.f_type), major(info.st_dev));
#elif defined(MNT_LOCAL)
  struct statfs system {};
  if (::statfs(directory.c_str(), &system) != 0) return system_error(errno, "statfs", directory);
  if ((system.f_flags & MNT_LOCAL) == 0) found = system.f_fstypename;
#endif
  return found;
}

/// Refuses a directory on the network file system `found`, unless that is none or allowed.
inline result<> require_local(const std::string& found, bool allowed,
                              const std::string& directory) {
  if (found.empty() || allowed) return {};
  return error{errc::unsupported, "the directory is on a network file system: " + found, directory,
               "keep the store on a local disk and let replicas sync; allow_network_fs overrides "
               "this for one machine that has the directory to itself"};
}

/// What tells the file from every copy of it, for as long as it lives: its inode. The device's
/// number is left out, since it may be another after a restart. Empty on file systems that make
/// numbers up each time they are mounted (FAT, exFAT, FUSE): an alarm at every start would be worth
/// nothing.
inline bytes place_of_file(const std::string& directory, const file& data) {
#ifdef __linux__
  struct statfs system {};
  if (::statfs(directory.c_str(), &system) != 0) return {};
  for (const std::uint32_t made_up : {0x00004D44u, 0x2011BAB0u, 0x65735546u})
    if (static_cast<std::uint32_t>(system.f_type) == made_up) return {};
#else
  static_cast<void>(directory);
#endif
  struct stat info {};
  if (::fstat(data.fd(), &info) != 0) return {};
  return "inode " + std::to_string(info.st_ino);
}

/// Whether nobody can write to the file system of `directory`.
inline bool is_read_only(const std::string& directory) noexcept {
  struct statvfs info {};
  return ::statvfs(directory.c_str(), &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
}

/// Bytes that this process may still write to the device of `directory`.
inline std::uint64_t free_bytes(const std::string& directory) noexcept {
  struct statvfs info {};
  if (::statvfs(directory.c_str(), &info) != 0) return std::numeric_limits<std::uint64_t>::max();
  const auto blocks = ::geteuid() == 0 ? info.f_bfree : info.f_bavail;
  return static_cast<std::uint64_t>(blocks) * info.f_frsize;
}

}  // namespace joinery::store::detail
