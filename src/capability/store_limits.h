// Bounds of the audit log, the module store and signatures: one line of reason per number.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fusebox::capability {

inline constexpr std::size_t kAuditRingRecords = 10'000;  // contract 8.1: what is kept when there is no file
inline constexpr std::size_t kAuditQueueRecords = 1024;   // contract 13: records held while the file cannot be written
inline constexpr std::size_t kAuditBatchRecords = 256;    // appended without a flush, they are committed together
inline constexpr std::size_t kAuditLazyRecords =
    512;  // in memory, committed together: half the queue, so that others can go on meanwhile
inline constexpr std::size_t kAuditQueues = 16;               // processors that append at the same moment; more share
inline constexpr std::uint64_t kAuditCheckpointEvery = 1000;  // contract 13
inline constexpr std::uint64_t kAuditFilesMax = 100;          // of one log; max_file_bytes says how much that holds
inline constexpr std::size_t kAuditCheckpointBytesMax =
    1024;  // with signature: about 680; room is made for it in advance
// The record of removed files, about 450 bytes, and the checkpoint that may be due before it.
inline constexpr std::size_t kAuditRemovalBytesMax = 512 + kAuditCheckpointBytesMax;
inline constexpr std::size_t kAuditFieldBytesMax = 256;  // capability ids are at most 128; longer text is cut
inline constexpr std::size_t kAuditDetailBytesMax =
    48 * 1024;  // sizes and hashes, never bodies; keeps a line below the next
inline constexpr std::size_t kAuditLineBytesMax = 64 * 1024;            // what a reader buffers; longer is not a record
inline constexpr std::size_t kAuditTailBytes = 2 * kAuditLineBytesMax;  // holds a whole line wherever the file was cut
static_assert(kAuditDetailBytesMax + 5 * 6 * kAuditFieldBytesMax + 1024 <
              kAuditLineBytesMax);  // 5 fields, each byte escaped

inline constexpr std::size_t kManifestBytesMax = 256 * 1024;  // a hand-written manifest with its schema is under 16 KiB
inline constexpr std::size_t kSchemaNodesMax = 4096;          // schema objects in one argument schema
inline constexpr std::size_t kSchemaDepthMax = 32;            // half of what JSON itself may nest (contract 7)
inline constexpr std::size_t kSchemaErrorsMax = 100;          // nobody reads more

inline constexpr std::size_t kStoreModuleBytesMax = 256u << 20;  // the largest limits.module_bytes of contract 8.2
inline constexpr std::size_t kStoreIndexBytesMax = 16u << 20;    // about 100,000 tags
inline constexpr std::size_t kStoreTagsMax = 100'000;            // the index is read whole
inline constexpr std::size_t kStoreHistoryMax = 16;              // upgrades of one id that rollback can undo

}  // namespace fusebox::capability
