// The two functions of liblz4 that Verilator's FST writer calls, so that waveforms need no system package.
//
// Writes the LZ4 block format (https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md): greedy matching with one
// hash table, decompressible by every LZ4 reader; it compresses somewhat less than the library does.
#ifndef SPIKEFOLD_LZ4_H
#define SPIKEFOLD_LZ4_H

#include <cstdint>
#include <cstring>
#include <vector>

inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }

/// Compresses ``size`` bytes into ``capacity`` bytes; returns the compressed size, or 0 when they do not fit.
inline int LZ4_compress_default(const char* source, char* target, int size, int capacity) {
    constexpr int kMinMatch = 4;          // a match is at least this long
    constexpr int kLastLiterals = 5;      // the block ends with at least this many literals
    constexpr int kLastMatchStart = 12;   // and no match starts closer than this to its end
    constexpr int kMaxOffset = 65535;
    constexpr int kHashBits = 14;
    constexpr int kNibble = 15;
    if (capacity < LZ4_compressBound(size)) return 0;

    const auto* in = reinterpret_cast<const std::uint8_t*>(source);
    auto* out = reinterpret_cast<std::uint8_t*>(target);
    const auto read32 = [in](int position) {
        std::uint32_t value;
        std::memcpy(&value, in + position, sizeof(value));
        return value;
    };
    const auto put_length = [&out](int length) {
        for (length -= kNibble; length >= 255; length -= 255) *out++ = 255;
        *out++ = static_cast<std::uint8_t>(length);
    };
    // One sequence: token, literals from anchor to position, then (unless it is the last) offset and match length.
    const auto put_sequence = [&](int anchor, int position, int offset, int match) {
        const int literals = position - anchor;
        const int extra = match - kMinMatch;
        const int low = offset == 0 ? 0 : extra < kNibble ? extra : kNibble;
        *out++ = static_cast<std::uint8_t>((literals < kNibble ? literals : kNibble) << 4 | low);
        if (literals >= kNibble) put_length(literals);
        if (literals > 0) std::memcpy(out, in + anchor, static_cast<std::size_t>(literals));
        out += literals;
        if (offset == 0) return;
        *out++ = static_cast<std::uint8_t>(offset & 255);
        *out++ = static_cast<std::uint8_t>(offset >> 8);
        if (extra >= kNibble) put_length(extra);
    };

    std::vector<int> last(1u << kHashBits, -1);  // where a hash of four bytes was last seen
    int anchor = 0;
    int position = 0;
    while (position < size - kLastMatchStart) {
        const std::uint32_t hash = read32(position) * 2654435761u >> (32 - kHashBits);
        const int candidate = last[hash];
        last[hash] = position;
        if (candidate < 0 || position - candidate > kMaxOffset || read32(candidate) != read32(position)) {
            ++position;
            continue;
        }
        int match = kMinMatch;
        while (position + match < size - kLastLiterals && in[candidate + match] == in[position + match]) ++match;
        put_sequence(anchor, position, position - candidate, match);
        position += match;
        anchor = position;
    }
    put_sequence(anchor, size, 0, kMinMatch);
    return static_cast<int>(out - reinterpret_cast<std::uint8_t*>(target));
}

#endif
