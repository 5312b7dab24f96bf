// Dense convolutions of stride 1 on the processor's AMX tiles (Intel): an instruction multiplies 16 x 32 numbers
// of 16 bits (bf16) with 32 x 16 and adds up in float32, sixteen times as fast as float32 vectors.
//   - A float is the sum of two bf16, the high part and what rounding to it left over, which keeps 16 of its 24 bits. A
//     product of two floats is three products of tiles (that of both low parts is as small as what the sums leave out),
//     and one with a spike, which is exact, two. Errors are about those of Winograd's tiles in float32.
//   - A tile's rows are 16 feature maps at one pixel, not 16 pixels of one map: every tap of the kernel is the tile of
//     another pixel, taps outside the map are left out, and no map is padded whatever its size. For the gradient of the
//     weights, which is a sum over maps and pixels, 32 maps at one pixel are the inner dimension of a product.
// Maps are converted in bands of rows that stay in the cache. Work is cut into such pieces by shapes alone and partial
// sums are added in their order: no sum depends on the number of threads. Layouts are those of spike_kernels.cpp.

#include "shared.h"

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AVX512BF16__) && defined(__AVX512BW__) \
    && defined(__AVX512VL__) && defined(__linux__)
#define AMX_TILES 1
#endif

#ifdef AMX_TILES

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <new>

namespace {

constexpr int64_t ROWS = 16;                 // of a tile
constexpr int64_t DEPTH = 32;                // bf16 of a row: the inner dimension of a product
constexpr int64_t COLUMNS = 16;              // floats of a row
constexpr int64_t TILE = ROWS * DEPTH;       // bf16 of a tile
constexpr int64_t SUMS = ROWS * COLUMNS;     // floats of a tile
constexpr int64_t ROW_BYTES = 64;
constexpr int64_t BAND_BYTES = 1 << 20;      // converted maps that a thread works on together, half of its L2 cache
constexpr int64_t CHUNK_BYTES = 1 << 15;     // converted together, so that they are written in L1
constexpr int64_t RUN = 8;                   // pixels that one weight's sum takes at a time, so that they stay in L1

typedef uint16_t Bf16;
typedef uint32_t Words __attribute__((vector_size(LANES * sizeof(uint32_t))));

int64_t quotient_up(int64_t count, int64_t size) { return (count + size - 1) / size; }

struct Release {
    void operator()(void* memory) const { ::operator delete[](memory, std::align_val_t(64)); }
};

// Zeroed: rows and blocks that a shape leaves unwritten are multiplied too, and must be finite.
template <typename T>
std::unique_ptr<T[], Release> zeros(int64_t count) {
    T* values = static_cast<T*>(::operator new[](count * sizeof(T), std::align_val_t(64)));
    std::fill(values, values + count, T{});
    return std::unique_ptr<T[], Release>(values);
}

// All eight tiles whole, configured for the thread that holds this.
struct Tiles {
    struct alignas(64) Layout {
        uint8_t palette = 1, start_row = 0, reserved[14] = {};
        uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
        uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    };
    Tiles() {
        static const Layout layout;
        std::atomic_signal_fence(std::memory_order_seq_cst);
        _tile_loadconfig(&layout);
    }
    ~Tiles() { _tile_release(); }
    Tiles(const Tiles&) = delete;
    Tiles& operator=(const Tiles&) = delete;
};

// Two vectors of floats as bf16. Rounding by half a place up is as good as to even: the low part takes what it leaves.
struct Halves {
    __m512i high, low;
};

inline Words rounded(Vector x) { return ((Words)x + 0x8000) & 0xffff0000; }

// Those of the first below those of the second, as a row of a left side.
inline Halves halves(Vector first, Vector second) {
    const Vector first_high = (Vector)rounded(first), second_high = (Vector)rounded(second);
    return {(__m512i)_mm512_cvtne2ps_pbh((__m512)second_high, (__m512)first_high),
            (__m512i)_mm512_cvtne2ps_pbh((__m512)(second - second_high), (__m512)(first - first_high))};
}

// In pairs of one of each, as two rows of a right side.
inline Halves paired_halves(Vector first, Vector second) {
    const auto pair = [](Words below, Words above) { return (__m512i)(below >> 16 | above); };
    const Words first_high = rounded(first), second_high = rounded(second);
    return {pair(first_high, second_high),
            pair(rounded(first - (Vector)first_high), rounded(second - (Vector)second_high))};
}

inline __mmask32 first_of_depth(int64_t count) { return count >= DEPTH ? ~0u : (1u << count) - 1; }

inline Vector load_floats(const float* from, __mmask16 lanes) { return (Vector)_mm512_maskz_loadu_ps(lanes, from); }

// Ones where a bit is set.
inline __m512i ones_of(__mmask32 bits) { return _mm512_maskz_set1_epi16(bits, 0x3f80); }

// Feature maps of floats [rows][pixels][channels]: two tiles of a left side, of high and of low parts.
struct FloatMaps {
    static constexpr int64_t PARTS = 2;
    const float* values;
    int64_t map_floats;

    void put(int64_t row, int64_t place, __mmask32 channels, Bf16* to) const {
        const float* from = values + row * map_floats + place;
        const Halves both = halves(load_floats(from, channels & 0xffff), load_floats(from + 16, channels >> 16));
        _mm512_store_si512(to, both.high);
        _mm512_store_si512(to + TILE, both.low);
    }
};

inline Words load_trains(const uint8_t* from, __mmask16 lanes) {
    return (Words)_mm512_maskz_cvtepu8_epi32(lanes, _mm_maskz_loadu_epi8(lanes, from));
}

inline Words load_trains(const int32_t* from, __mmask16 lanes) { return (Words)_mm512_maskz_loadu_epi32(lanes, from); }

inline __mmask32 spikes_of(const uint8_t* from, __mmask32 lanes, int step) {
    return _mm256_test_epi8_mask(_mm256_maskz_loadu_epi8(lanes, from), _mm256_set1_epi8(static_cast<char>(1 << step)));
}

inline __mmask32 spikes_of(const int32_t* from, __mmask32 lanes, int step) {
    const __m512i bit = _mm512_set1_epi32(static_cast<int32_t>(1u << step));
    const __mmask32 low = _mm512_test_epi32_mask((__m512i)load_trains(from, lanes & 0xffff), bit);
    const __mmask32 high = _mm512_test_epi32_mask((__m512i)load_trains(from + 16, lanes >> 16), bit);
    return low | high << 16;
}

// The same of spikes, from trains: row t * images + n is step t of image n.
template <typename Train>
struct SpikeMaps {
    static constexpr int64_t PARTS = 1;
    const Train* trains;
    int64_t map_trains, images;

    void put(int64_t row, int64_t place, __mmask32 channels, Bf16* to) const {
        const Train* from = trains + row % images * map_trains + place;
        _mm512_store_si512(to, ones_of(spikes_of(from, channels, static_cast<int>(row / images))));
    }
};

// Bands of rows, as even as they come, that take BAND_BYTES with the rows above and below that the kernel covers.
struct Bands {
    int64_t rows, count, padding, height;
    Bands(const Convolution& shape, int64_t row_bytes) : padding(shape.padding()), height(shape.height) {
        const int64_t most = std::max<int64_t>(1, std::min(BAND_BYTES / row_bytes - 2 * padding, height));
        count = quotient_up(height, most);
        rows = quotient_up(height, count);
    }
    int64_t begin(int64_t band) const { return std::min(band * rows, height); }
    int64_t end(int64_t band) const { return std::min((band + 1) * rows, height); }
    int64_t covered_begin(int64_t band) const { return std::max<int64_t>(begin(band) - padding, 0); }
    int64_t covered_end(int64_t band) const { return std::min(end(band) + padding, height); }
    int64_t most_covered() const { return std::min(rows + 2 * padding, height); }
};

// Weights [taps][inputs][outputs, padded to a multiple of 16] as right sides: [pairs of output blocks][input blocks]
// [taps], each the low parts of both blocks and then the high ones.
struct Weights {
    int64_t taps, inputs, outputs, input_blocks, output_blocks;
    std::unique_ptr<Bf16[], Release> tiles;

    Weights(const Convolution& shape, const float* rows)
        : taps(shape.kernel * shape.kernel), inputs(shape.inputs), outputs(shape.outputs),
          input_blocks(quotient_up(inputs, DEPTH)), output_blocks(quotient_up(outputs, COLUMNS)),
          tiles(zeros<Bf16>((output_blocks + 1) / 2 * input_blocks * taps * 4 * TILE)) {
#pragma omp parallel for schedule(static) collapse(2)
        for (int64_t tap = 0; tap < taps; ++tap) {
            for (int64_t i = 0; i < input_blocks * DEPTH; i += 2) {
                for (int64_t block = 0; block < output_blocks; ++block) {
                    const float* from = rows + ((tap * inputs + i) * output_blocks + block) * COLUMNS;
                    const Vector first = i < inputs ? load(from, LANES) : Vector{};
                    const Vector second = i + 1 < inputs ? load(from + output_blocks * COLUMNS, LANES) : Vector{};
                    const Halves both = paired_halves(first, second);
                    Bf16* to = tiles.get() + ((block / 2 * input_blocks + i / DEPTH) * taps + tap) * 4 * TILE
                        + block % 2 * TILE + i % DEPTH / 2 * DEPTH;
                    _mm512_store_si512(to, both.low);
                    _mm512_store_si512(to + 2 * TILE, both.high);
                }
            }
        }
    }
};

// Sums 0 1 / 2 3 of the left sides `first` and `second` (either may be null) and a pair of right sides, by the high and
// low parts of both. Each sum waits for its last product, so that four of them keep the processor busy.
template <int64_t PARTS, bool WIDE>
inline void add_products(const Bf16* first, const Bf16* second, const Bf16* right) {
#define PRODUCTS                                 \
    if (first) _tile_dpbf16ps(0, 4, 6);          \
    if (first && WIDE) _tile_dpbf16ps(1, 4, 7);  \
    if (second) _tile_dpbf16ps(2, 5, 6);         \
    if (second && WIDE) _tile_dpbf16ps(3, 5, 7);
    if (first) _tile_loadd(4, first, ROW_BYTES);
    if (second) _tile_loadd(5, second, ROW_BYTES);
    _tile_loadd(6, right, ROW_BYTES);
    if (WIDE) _tile_loadd(7, right + TILE, ROW_BYTES);
    PRODUCTS
    _tile_loadd(6, right + 2 * TILE, ROW_BYTES);
    if (WIDE) _tile_loadd(7, right + 3 * TILE, ROW_BYTES);
    PRODUCTS
    if (PARTS == 1) return;
    if (first) _tile_loadd(4, first + TILE, ROW_BYTES);
    if (second) _tile_loadd(5, second + TILE, ROW_BYTES);
    PRODUCTS
#undef PRODUCTS
}

// One band of 16 rows of maps, converted to [pixels][input blocks][PARTS] tiles.
struct Band {
    const Bf16* maps;
    int64_t covered_begin, begin, end;   // rows of pixels
    int64_t first_row, rows;             // of feature maps
};

// Where a tile of sums goes: the maps' rows are `stride` floats apart.
struct Target {
    float* out;
    int64_t stride, rows, columns;
};

// Sums of one pixel and block: whole tiles go straight to the output.
#define SAVE_SUMS(tile, target)                                                                      \
    {                                                                                                \
        const Target& to = target;                                                                   \
        if (to.rows == ROWS && to.columns >= COLUMNS) {                                              \
            _tile_stored(tile, to.out, to.stride * sizeof(float));                                   \
        } else {                                                                                     \
            alignas(64) float sums[SUMS];                                                            \
            _tile_stored(tile, sums, ROW_BYTES);                                                     \
            for (int64_t r = 0; r < to.rows; ++r)                                                    \
                save(load(sums + r * COLUMNS, LANES), to.columns, to.out + r * to.stride);           \
        }                                                                                            \
    }

template <int64_t PARTS, bool WIDE>
void convolve_pixels(const Convolution& shape, const Weights& weights, const Band& band, int64_t block, float* out) {
    const int64_t padding = shape.padding(), width = shape.width, pixels = shape.height * width;
    const int64_t pixel_tiles = weights.input_blocks * PARTS;
    const Bf16* right = weights.tiles.get() + block / 2 * weights.input_blocks * weights.taps * 4 * TILE;
    const int64_t last = band.end * width;
    for (int64_t p = band.begin * width; p < last; p += 2) {
        const bool two = p + 1 < last;
        const int64_t y[2] = {p / width, (p + 1) / width}, x[2] = {p % width, (p + 1) % width};
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        for (int64_t i = 0; i < weights.input_blocks; ++i) {
            for (int64_t tap = 0; tap < weights.taps; ++tap) {
                const int64_t down = tap / shape.kernel - padding, across = tap % shape.kernel - padding;
                const auto covered = [&](int which) -> const Bf16* {
                    const int64_t at_y = y[which] + down, at_x = x[which] + across;
                    if (at_y < 0 || at_y >= shape.height || at_x < 0 || at_x >= width) return nullptr;
                    return band.maps + (((at_y - band.covered_begin) * width + at_x) * pixel_tiles + i * PARTS) * TILE;
                };
                const Bf16 *first = covered(0), *second = two ? covered(1) : nullptr;
                const Bf16* factors = right + (i * weights.taps + tap) * 4 * TILE;
                if (first && second)
                    add_products<PARTS, WIDE>(first, second, factors);
                else if (first)
                    add_products<PARTS, WIDE>(first, nullptr, factors);
                else if (second)
                    add_products<PARTS, WIDE>(nullptr, second, factors);
            }
        }
        float* corner = out + (band.first_row * pixels + p) * shape.outputs + block * COLUMNS;
        const int64_t stride = pixels * shape.outputs, columns = shape.outputs - block * COLUMNS;
        SAVE_SUMS(0, (Target{corner, stride, band.rows, columns}))
        if (WIDE) SAVE_SUMS(1, (Target{corner + COLUMNS, stride, band.rows, columns - COLUMNS}))
        if (!two) continue;
        corner += shape.outputs;
        SAVE_SUMS(2, (Target{corner, stride, band.rows, columns}))
        if (WIDE) SAVE_SUMS(3, (Target{corner + COLUMNS, stride, band.rows, columns - COLUMNS}))
    }
}

template <typename Maps>
void convolve(const Convolution& shape, const Maps& maps, const float* weight_rows, float* out) {
    const Weights weights(shape, weight_rows);
    const int64_t rows = shape.timesteps * shape.images, groups = quotient_up(rows, ROWS), width = shape.width;
    const int64_t pixel_tiles = weights.input_blocks * Maps::PARTS;
    const int64_t pixel_bytes = pixel_tiles * TILE * sizeof(Bf16);
    const int64_t chunk_pixels = std::max<int64_t>(1, CHUNK_BYTES / pixel_bytes);
    const Bands bands(shape, width * pixel_bytes);
#pragma omp parallel
    {
        const Tiles configured;
        const auto converted = zeros<Bf16>(bands.most_covered() * width * pixel_tiles * TILE);
#pragma omp for schedule(dynamic) collapse(2)
        for (int64_t group = 0; group < groups; ++group) {
            for (int64_t b = 0; b < bands.count; ++b) {
                const int64_t first_row = group * ROWS, top = bands.covered_begin(b) * width;
                const Band band{converted.get(), bands.covered_begin(b), bands.begin(b), bands.end(b), first_row,
                                std::min(ROWS, rows - first_row)};
                const int64_t end = bands.covered_end(b) * width;
                for (int64_t chunk = top; chunk < end; chunk += chunk_pixels)
                    for (int64_t r = 0; r < band.rows; ++r)
                        for (int64_t p = chunk; p < std::min(chunk + chunk_pixels, end); ++p)
                            for (int64_t i = 0; i < weights.input_blocks; ++i)
                                maps.put(first_row + r, p * shape.inputs + i * DEPTH,
                                         first_of_depth(shape.inputs - i * DEPTH),
                                         converted.get() + ((p - top) * pixel_tiles + i * Maps::PARTS) * TILE
                                             + r * DEPTH);
                std::atomic_signal_fence(std::memory_order_seq_cst);
                for (int64_t block = 0; block < weights.output_blocks; block += 2) {
                    if (block + 1 < weights.output_blocks)
                        convolve_pixels<Maps::PARTS, true>(shape, weights, band, block, out);
                    else
                        convolve_pixels<Maps::PARTS, false>(shape, weights, band, block, out);
                }
            }
        }
    }
}

// Operands of a weight gradient, of 32 feature maps (rows n * T + t) and a band: left sides [pairs of input blocks]
// [covered pixels][2], right sides [pairs of output blocks][pixels][4].
struct Operands {
    int64_t input_pairs, output_pairs;
    int64_t covered_begin, begin, end;   // rows of pixels
    Bf16 *left, *right;
    int64_t left_tiles, right_tiles;     // of a pair

    template <typename Train>
    void put_spikes(const Convolution& shape, const Train* trains, int64_t first_row, int64_t covered_end) {
        const int64_t images = shape.images, size = shape.height * shape.width * shape.inputs;
        const int64_t first_image = first_row / shape.timesteps;
        const int64_t last_image = std::min(images, quotient_up(first_row + DEPTH, shape.timesteps));
        for (int64_t p = covered_begin * shape.width; p < covered_end * shape.width; ++p) {
            for (int64_t i = 0; i < shape.inputs; i += ROWS) {
                const __mmask16 lanes = first_of_depth(std::min(ROWS, shape.inputs - i)) & 0xffff;
                Words words{};
                for (int64_t n = first_image; n < last_image; ++n) {
                    const Words several = load_trains(trains + n * size + p * shape.inputs + i, lanes);
                    const int shift = static_cast<int>(n * shape.timesteps - first_row);
                    words |= shift < 0 ? several >> -shift : several << shift;
                }
                const int64_t pair = i / (2 * ROWS), second = i / ROWS % 2;
                Bf16* to = left + (pair * left_tiles + (p - covered_begin * shape.width) * 2 + second) * TILE;
                for (int64_t c = 0; c < ROWS; ++c) _mm512_store_si512(to + c * DEPTH, ones_of(words[c]));
            }
        }
    }

    void put_gradients(const Convolution& shape, const float* gradient, int64_t first_row) {
        const int64_t size = shape.height * shape.width * shape.outputs, rows = shape.timesteps * shape.images;
        const auto map = [&](int64_t row) {
            return gradient + (row % shape.timesteps * shape.images + row / shape.timesteps) * size;
        };
        const int64_t first_pixel = begin * shape.width, last_pixel = end * shape.width;
        const int64_t chunk_pixels = std::max<int64_t>(1, CHUNK_BYTES / (output_pairs * 4 * TILE * sizeof(Bf16)));
        for (int64_t chunk = first_pixel; chunk < last_pixel; chunk += chunk_pixels) {
            for (int64_t r = 0; r < DEPTH; r += 2) {
                const int64_t row = first_row + r;
                const float* first = map(std::min(row, rows - 1));
                const float* second = map(std::min(row + 1, rows - 1));
                for (int64_t p = chunk; p < std::min(chunk + chunk_pixels, last_pixel); ++p) {
                    for (int64_t o = 0; o < shape.outputs; o += COLUMNS) {
                        const __mmask16 lanes = first_of_depth(std::min(COLUMNS, shape.outputs - o)) & 0xffff;
                        const int64_t at = p * shape.outputs + o;
                        const Halves both = paired_halves(load_floats(first + at, row < rows ? lanes : 0),
                                                          load_floats(second + at, row + 1 < rows ? lanes : 0));
                        const int64_t pair = o / (2 * COLUMNS), second_block = o / COLUMNS % 2;
                        Bf16* to = right + (pair * right_tiles + (p - first_pixel) * 4 + second_block) * TILE
                            + r / 2 * DEPTH;
                        _mm512_store_si512(to, both.low);
                        _mm512_store_si512(to + 2 * TILE, both.high);
                    }
                }
            }
        }
    }
};

// Adds a band's products to sums [taps][4] tiles of a pair of input blocks (TALL: both of it) and one of output blocks.
template <bool TALL, bool WIDE>
void add_weight_sums(const Convolution& shape, const Operands& operands, const Bf16* left, const Bf16* right,
                     float* sums) {
    const int64_t padding = shape.padding(), width = shape.width;
    const int64_t run_rows = std::max<int64_t>(1, RUN / width), run = std::min(RUN, width);
    for (int64_t top = operands.begin; top < operands.end; top += run_rows) {
        for (int64_t side = 0; side < width; side += run) {
            for (int64_t tap = 0; tap < shape.kernel * shape.kernel; ++tap) {
                const int64_t down = tap / shape.kernel - padding, across = tap % shape.kernel - padding;
                const int64_t first_y = std::max(top, -down);
                const int64_t last_y = std::min({top + run_rows, operands.end, shape.height - down});
                const int64_t first_x = std::max(side, -across), last_x = std::min({side + run, width, width - across});
                if (first_y >= last_y || first_x >= last_x) continue;
                float* tiles = sums + tap * 4 * SUMS;
                _tile_loadd(0, tiles, ROW_BYTES);
                if (WIDE) _tile_loadd(1, tiles + SUMS, ROW_BYTES);
                if (TALL) _tile_loadd(2, tiles + 2 * SUMS, ROW_BYTES);
                if (TALL && WIDE) _tile_loadd(3, tiles + 3 * SUMS, ROW_BYTES);
                for (int64_t y = first_y; y < last_y; ++y) {
                    for (int64_t x = first_x; x < last_x; ++x) {
                        const Bf16* spikes =
                            left + ((y + down - operands.covered_begin) * width + x + across) * 2 * TILE;
                        const Bf16* gradients = right + ((y - operands.begin) * width + x) * 4 * TILE;
                        add_products<1, WIDE>(spikes, TALL ? spikes + TILE : nullptr, gradients);
                    }
                }
                _tile_stored(0, tiles, ROW_BYTES);
                if (WIDE) _tile_stored(1, tiles + SUMS, ROW_BYTES);
                if (TALL) _tile_stored(2, tiles + 2 * SUMS, ROW_BYTES);
                if (TALL && WIDE) _tile_stored(3, tiles + 3 * SUMS, ROW_BYTES);
            }
        }
    }
}

template <typename Train>
void weight_gradient(const Convolution& shape, const Train* trains, const float* gradient, int64_t parts, float* out) {
    const int64_t rows = shape.timesteps * shape.images, groups = quotient_up(rows, DEPTH), width = shape.width;
    const int64_t taps = shape.kernel * shape.kernel;
    const int64_t input_blocks = quotient_up(shape.inputs, ROWS), output_blocks = quotient_up(shape.outputs, COLUMNS);
    const int64_t input_pairs = quotient_up(input_blocks, 2), output_pairs = quotient_up(output_blocks, 2);
    const int64_t pair_floats = taps * 4 * SUMS, part_floats = output_pairs * input_pairs * pair_floats;
    const auto partial = zeros<float>(parts * part_floats);
    const Bands bands(shape, width * (input_pairs * 2 + output_pairs * 4) * TILE * sizeof(Bf16));
#pragma omp parallel
    {
        const Tiles configured;
        const int64_t left_tiles = bands.most_covered() * width * 2, right_tiles = bands.rows * width * 4;
        const auto left = zeros<Bf16>(input_pairs * left_tiles * TILE);
        const auto right = zeros<Bf16>(output_pairs * right_tiles * TILE);
#pragma omp for schedule(dynamic)
        for (int64_t part = 0; part < parts; ++part) {
            for (int64_t group = groups * part / parts; group < groups * (part + 1) / parts; ++group) {
                for (int64_t b = 0; b < bands.count; ++b) {
                    Operands operands{input_pairs, output_pairs, bands.covered_begin(b), bands.begin(b), bands.end(b),
                                      left.get(), right.get(), left_tiles, right_tiles};
                    operands.put_spikes(shape, trains, group * DEPTH, bands.covered_end(b));
                    operands.put_gradients(shape, gradient, group * DEPTH);
                    std::atomic_signal_fence(std::memory_order_seq_cst);
                    for (int64_t o = 0; o < output_pairs; ++o) {
                        for (int64_t i = 0; i < input_pairs; ++i) {
                            const bool tall = 2 * i + 1 < input_blocks, wide = 2 * o + 1 < output_blocks;
                            const auto add =
                                tall ? (wide ? add_weight_sums<true, true> : add_weight_sums<true, false>)
                                     : (wide ? add_weight_sums<false, true> : add_weight_sums<false, false>);
                            add(shape, operands, left.get() + i * left_tiles * TILE,
                                right.get() + o * right_tiles * TILE,
                                partial.get() + part * part_floats + (o * input_pairs + i) * pair_floats);
                        }
                    }
                }
            }
        }
        // Parts are added in their order, and written as rows of weights.
#pragma omp for schedule(static) collapse(2)
        for (int64_t tap = 0; tap < taps; ++tap) {
            for (int64_t i = 0; i < shape.inputs; ++i) {
                for (int64_t o = 0; o < output_blocks; ++o) {
                    const float* from = partial.get() + (o / 2 * input_pairs + i / (2 * ROWS)) * pair_floats
                        + (tap * 4 + i / ROWS % 2 * 2 + o % 2) * SUMS + i % ROWS * COLUMNS;
                    Vector sum{};
                    for (int64_t part = 0; part < parts; ++part) sum += load(from + part * part_floats, LANES);
                    save(sum, LANES, out + ((tap * shape.inputs + i) * output_blocks + o) * COLUMNS);
                }
            }
        }
    }
}

}  // namespace

#endif

extern "C" {

// Whether this processor has such tiles, these kernels are compiled for them and the system lets this process use them.
int64_t has_matrix_tiles() {
#ifdef AMX_TILES
    constexpr long REQUEST_PERMISSION = 0x1023, TILE_DATA = 18;   // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
    return 0;
#endif
}

#ifdef AMX_TILES

// out [T][N][H][W][outputs] of maps [T][N][H][W][inputs], of floats (train_bytes 0) or trains [N][H][W][inputs] (1, 4),
// and weights [kernel*kernel][inputs][outputs, padded with zeros to a multiple of 16].
void tile_convolution(const Convolution* shape, const void* maps, int32_t train_bytes, const float* weights,
                      float* out) {
    const int64_t size = shape->height * shape->width * shape->inputs;
    if (train_bytes == 0)
        convolve(*shape, FloatMaps{static_cast<const float*>(maps), size}, weights, out);
    else if (train_bytes == 1)
        convolve(*shape, SpikeMaps<uint8_t>{static_cast<const uint8_t*>(maps), size, shape->images}, weights, out);
    else
        convolve(*shape, SpikeMaps<int32_t>{static_cast<const int32_t*>(maps), size, shape->images}, weights, out);
}

// Gradient of such weights from that of the sums, added up in `parts` runs of maps.
void tile_weight_gradient(const Convolution* shape, const void* trains, int32_t train_bytes, const float* gradient,
                          int64_t parts, float* out) {
    if (train_bytes == 1)
        weight_gradient(*shape, static_cast<const uint8_t*>(trains), gradient, parts, out);
    else
        weight_gradient(*shape, static_cast<const int32_t*>(trains), gradient, parts, out);
}

#endif

}  // extern "C"
