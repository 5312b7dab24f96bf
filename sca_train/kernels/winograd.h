// What Winograd's minimal filtering F(4x4, 3x3) of 3x3 convolutions takes in floats and in integers: 36 products in place of
// 144 for a tile of 4x4 outputs (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016). Tiles are
// transformed in blocks that stay in the cache, then multiplied with the transformed weights at each of the 36 positions by
// one register-blocked product. A Kind says what the numbers are: vectors of Channels, in which tiles are transformed, and
// Sums, vectors of the product's Words, each of which holds IN_WORD channels of its operands. Feature maps and trains are
// laid out as in spike_kernels.cpp; no sum depends on the number of threads.

#pragma once

#include <memory>
#include <new>
#include <utility>

#include "shared.h"

constexpr int64_t TILE = 4;                     // outputs of a tile, each way
constexpr int64_t KERNEL = 3;
constexpr int64_t COVER = TILE + KERNEL - 1;    // inputs that they depend on
constexpr int64_t POSITIONS = COVER * COVER;
constexpr int64_t COLUMNS = 2 * LANES;          // columns of a product that are held in registers together
#ifdef __AVX512F__
constexpr int64_t ROWS = 12;                    // and its rows: 24 of 32 registers
#else
constexpr int64_t ROWS = 6;                     // and its rows: 12 of 16 registers
#endif
constexpr int64_t LINE = 16;                    // words of a cache line
constexpr int64_t BLOCK_WORDS = 1 << 16;        // transformed tiles that a thread works on together

// Words between rows: an odd number of cache lines, so that rows do not compete for the same part of the cache.
inline int64_t row_words(int64_t words) { return ((words + LINE - 1) / LINE | 1) * LINE; }

inline int64_t register_blocks(int64_t words) { return (words + COLUMNS - 1) / COLUMNS; }

struct Release {
    void operator()(void* words) const { ::operator delete[](words, std::align_val_t(64)); }
};

template <typename Word>
using Memory = std::unique_ptr<Word[], Release>;

template <typename Word>
Memory<Word> memory(int64_t count) {
    return Memory<Word>(static_cast<Word*>(::operator new[](count * sizeof(Word), std::align_val_t(64))));
}

// Zeroed: what padding leaves unwritten is multiplied too, and must be finite.
template <typename Word>
Memory<Word> zeros(int64_t count) {
    Memory<Word> words = memory<Word>(count);
    std::fill(words.get(), words.get() + count, Word{});
    return words;
}

// Feature maps [rows][pixels][channels] of any values that the kind loads.
template <typename Kind, typename Value>
struct ValueMaps {
    const Value* values;
    int64_t image_values;
    struct Image {
        typedef Value Stored;
        const Value* pixels;
        typename Kind::Channels load(const Value* from, int64_t count) const { return Kind::load(from, count); }
    };
    Image image(int64_t row) const { return {values + row * image_values}; }
};

// The same of spikes, from trains: row t * images + n is step t of image n.
template <typename Kind, typename Train>
struct SpikeMaps {
    const Train* trains;
    int64_t image_trains, images;
    struct Image {
        typedef Train Stored;
        const Train* pixels;
        Train step;
        typename Kind::Channels load(const Train* from, int64_t count) const { return Kind::spikes(from, count, step); }
    };
    Image image(int64_t row) const {
        return {trains + row % images * image_trains, static_cast<Train>(1u << row / images)};
    }
};

// The maps' tiles, numbered over rows (steps and images), then down and across.
struct Tiles {
    int64_t height, width, down, across, count;
    explicit Tiles(const Convolution& shape)
        : height(shape.height), width(shape.width), down((height + TILE - 1) / TILE), across((width + TILE - 1) / TILE),
          count(shape.timesteps * shape.images * down * across) {}
    int64_t row(int64_t tile) const { return tile / (down * across); }
    int64_t top(int64_t tile) const { return tile / across % down * TILE; }
    int64_t left(int64_t tile) const { return tile % across * TILE; }
};

// One dimension of the transforms for the points 0, 1, -1, 2, -2 and infinity; in and out may be strided.
template <typename Kind>
inline void transform_input(const typename Kind::Channels* d, int64_t from, typename Kind::Channels* out, int64_t to) {
    typedef typename Kind::Channels Numbers;
    const Numbers d0 = d[0], d1 = d[from], d2 = d[2 * from], d3 = d[3 * from], d4 = d[4 * from], d5 = d[5 * from];
    const Numbers even = d4 - 4 * d2, odd = d3 - 4 * d1, near = d4 - d2, far = d3 - d1;
    out[0] = 4 * d0 + (d4 - 5 * d2);
    out[to] = even + odd;
    out[2 * to] = even - odd;
    out[3 * to] = near + 2 * far;
    out[4 * to] = near - 2 * far;
    out[5 * to] = 4 * d1 + (d5 - 5 * d3);
}

// The transpose of that of products.
inline void transform_gradient(const Vector* g, int64_t from, Vector* out, int64_t to) {
    const Vector g0 = g[0], g1 = g[from], g2 = g[2 * from], g3 = g[3 * from];
    const Vector even = g0 + g2, odd = g1 + g3, far_even = g0 + 4.0f * g2, far_odd = 2.0f * g1 + 8.0f * g3;
    out[0] = g0;
    out[to] = even + odd;
    out[2 * to] = even - odd;
    out[3 * to] = far_even + far_odd;
    out[4 * to] = far_even - far_odd;
    out[5 * to] = g3;
}

// The SIDE x SIDE pixels from (top, left), zeros (outside) beyond the map, transformed to POSITIONS vectors of channels.
// Those from word w of a pixel's channels go to out + w / COLUMNS * block_words + w % COLUMNS, position_words apart.
template <typename Kind, int64_t SIDE, typename Image>
void transform_tile(const Tiles& tiles, const Image& image, int64_t top, int64_t left, int64_t channels,
                    const void* outside, typename Kind::Word* out, int64_t position_words, int64_t block_words) {
    typedef typename Kind::Channels Numbers;
    typedef typename Image::Stored Stored;
    const Stored* pixels[SIDE * SIDE];
    for (int64_t y = 0; y < SIDE; ++y) {
        for (int64_t x = 0; x < SIDE; ++x) {
            const bool inside = top + y >= 0 && top + y < tiles.height && left + x >= 0 && left + x < tiles.width;
            pixels[y * SIDE + x] = inside ? image.pixels + ((top + y) * tiles.width + left + x) * channels
                                          : static_cast<const Stored*>(outside);
        }
    }
    const auto transform_channels = [&](int64_t c, int64_t count) __attribute__((always_inline)) {
        Numbers half[COVER][SIDE], whole[COVER];
        for (int64_t x = 0; x < SIDE; ++x) {
            Numbers column[SIDE];
            for (int64_t y = 0; y < SIDE; ++y) column[y] = image.load(pixels[y * SIDE + x] + c, count);
            if constexpr (SIDE == COVER)
                transform_input<Kind>(column, 1, &half[0][x], SIDE);
            else
                transform_gradient(column, 1, &half[0][x], SIDE);
        }
        const int64_t word = c / Kind::IN_WORD;
        typename Kind::Word* target = out + word / COLUMNS * block_words + word % COLUMNS;
        for (int64_t y = 0; y < COVER; ++y) {
            if constexpr (SIDE == COVER)
                transform_input<Kind>(half[y], 1, whole, 1);
            else
                transform_gradient(half[y], 1, whole, 1);
            for (int64_t x = 0; x < COVER; ++x, target += position_words) *reinterpret_cast<Numbers*>(target) = whole[x];
        }
    };
    constexpr int64_t WHOLE = Kind::IN_WORD * LANES;
    int64_t c = 0;
    for (; c + WHOLE <= channels; c += WHOLE) transform_channels(c, WHOLE);
    if (c < channels) transform_channels(c, channels - c);
}

// A tile of outputs from its POSITIONS products, clipped to the map; finish(sums, channel) makes floats of them, which
// are saved as such or as bf16.
template <typename Kind, typename Saved, typename Finish>
void save_tile(const Tiles& tiles, const typename Kind::Word* product, int64_t position_words, int64_t tile,
               int64_t channels, Saved* out, Finish finish) {
    typedef typename Kind::Sums Numbers;
    const int64_t top = tiles.top(tile), left = tiles.left(tile);
    const int64_t rows = std::min(TILE, tiles.height - top), columns = std::min(TILE, tiles.width - left);
    Saved* corner = out + ((tiles.row(tile) * tiles.height + top) * tiles.width + left) * channels;
    for (int64_t c = 0; c < channels; c += LANES) {
        Numbers half[COVER][TILE], whole[TILE][TILE];
        for (int64_t y = 0; y < COVER; ++y) {
            Numbers row[COVER];
            for (int64_t x = 0; x < COVER; ++x)
                row[x] = *reinterpret_cast<const Numbers*>(product + (y * COVER + x) * position_words + c);
            Kind::transform_product(row, 1, half[y], 1);
        }
        for (int64_t x = 0; x < TILE; ++x) Kind::transform_product(&half[0][x], TILE, &whole[0][x], TILE);
        for (int64_t y = 0; y < rows; ++y)
            for (int64_t x = 0; x < columns; ++x)
                save(finish(whole[y][x], c), channels - c, corner + (y * tiles.width + x) * channels + c);
    }
}

// target[row][column] = or += sum over k of a(row, k) * b[k][column], for COUNT rows and the first VECTORS of a block's
// columns. One of a's two strides is 1: that of k where ALONG, else that of the rows.
template <int COUNT, int VECTORS, bool ALONG, bool ADD, typename Kind, typename Word = typename Kind::Word>
inline void multiply_rows(const Word* a, int64_t a_words, const Word* b, int64_t depth, Word* target,
                          int64_t target_words) {
    typedef typename Kind::Sums Numbers;
    Numbers sum[COUNT][VECTORS];
#pragma GCC unroll 12
    for (int r = 0; r < COUNT; ++r)
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; ++v)
            sum[r][v] = ADD ? reinterpret_cast<const Numbers*>(target + r * target_words)[v] : Numbers{};
    for (int64_t k = 0; k < depth; ++k) {
        Numbers factors[VECTORS];
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; ++v) factors[v] = reinterpret_cast<const Numbers*>(b + k * COLUMNS)[v];
#pragma GCC unroll 12
        for (int r = 0; r < COUNT; ++r) {
            const Numbers factor = Kind::spread(ALONG ? a[r * a_words + k] : a[k * a_words + r]);
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; ++v) sum[r][v] = Kind::add_product(sum[r][v], factor, factors[v]);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < COUNT; ++r)
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; ++v) reinterpret_cast<Numbers*>(target + r * target_words)[v] = sum[r][v];
}

// multiply_rows for 1 to ROWS rows, by their number less one.
template <int VECTORS, bool ALONG, bool ADD, typename Kind, typename Word, int... LESS_ONE>
void multiply_count(std::integer_sequence<int, LESS_ONE...>, int64_t count, const Word* a, int64_t a_words,
                    const Word* b, int64_t depth, Word* target, int64_t target_words) {
    using Product = void (*)(const Word*, int64_t, const Word*, int64_t, Word*, int64_t);
    constexpr Product products[] = {multiply_rows<LESS_ONE + 1, VECTORS, ALONG, ADD, Kind>...};
    products[count - 1](a, a_words, b, depth, target, target_words);
}

// The same for any number of rows, ROWS at most together and as evenly as possible, and the columns of a register block.
template <bool ALONG, bool ADD, typename Kind, typename Word = typename Kind::Word>
void multiply(const Word* a, int64_t a_words, const Word* b, int64_t depth, int64_t rows, int64_t columns,
              Word* target, int64_t target_words) {
    constexpr auto counts = std::make_integer_sequence<int, ROWS>();
    for (int64_t row = 0, groups = (rows + ROWS - 1) / ROWS; groups > 0; --groups) {
        const int64_t count = (rows - row + groups - 1) / groups;
        const Word* from = a + (ALONG ? row * a_words : row);
        Word* to = target + row * target_words;
        if (columns > LANES)
            multiply_count<2, ALONG, ADD, Kind>(counts, count, from, a_words, b, depth, to, target_words);
        else
            multiply_count<1, ALONG, ADD, Kind>(counts, count, from, a_words, b, depth, to, target_words);
        row += count;
    }
}

// out [rows][pixels][outputs] of maps and transformed weights [POSITIONS][blocks][depth][COLUMNS], where a pixel's
// inputs take depth words.
template <typename Kind, typename Maps, typename Saved, typename Finish>
void convolve_tiles(const Convolution& shape, const Maps& maps, const typename Kind::Word* weights, Saved* out,
                    Finish finish) {
    typedef typename Kind::Word Word;
    const Tiles tiles(shape);
    const int64_t depth = (shape.inputs + Kind::IN_WORD - 1) / Kind::IN_WORD;
    const int64_t in_words = row_words(depth), out_words = row_words(shape.outputs);
    const int64_t fitting = BLOCK_WORDS / (POSITIONS * (in_words + out_words)) / ROWS * ROWS;
    const int64_t chunk = std::min(std::max(fitting, 4 * ROWS), tiles.count);
    const int64_t in_place = chunk * in_words + LINE, out_place = chunk * out_words + LINE;
    const int64_t wide = register_blocks(shape.outputs), block_words = depth * COLUMNS;
#pragma omp parallel
    {
        const auto inputs = zeros<Word>(POSITIONS * in_place), products = zeros<Word>(POSITIONS * out_place);
        const auto outside = zeros<Word>(shape.inputs);
#pragma omp for schedule(static)
        for (int64_t first = 0; first < tiles.count; first += chunk) {
            const int64_t count = std::min(chunk, tiles.count - first);
            for (int64_t i = 0; i < count; ++i)
                transform_tile<Kind, COVER>(tiles, maps.image(tiles.row(first + i)), tiles.top(first + i) - 1,
                                            tiles.left(first + i) - 1, shape.inputs, outside.get(),
                                            inputs.get() + i * in_words, in_place, COLUMNS);
            for (int64_t place = 0; place < POSITIONS; ++place)
                for (int64_t block = 0; block < wide; ++block)
                    multiply<true, false, Kind>(
                        inputs.get() + place * in_place, in_words, weights + (place * wide + block) * block_words, depth,
                        count, shape.outputs - block * COLUMNS, products.get() + place * out_place + block * COLUMNS,
                        out_words);
            for (int64_t i = 0; i < count; ++i)
                save_tile<Kind>(tiles, products.get() + i * out_words, out_place, first + i, shape.outputs, out, finish);
        }
    }
}
