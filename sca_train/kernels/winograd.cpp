// Dense 3x3 convolutions of stride 1 by Winograd's minimal filtering F(4x4, 3x3): 36 products in place of 144 for a tile
// of 4x4 outputs (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016). It serves the gradients of
// spikes and of spike counts, which are dense, and spikes where they are too many for adding them one by one to be faster.
// Tiles are transformed in blocks that stay in the cache, then multiplied with the transformed weights at each of the 36
// positions by one register-blocked product. Feature maps and trains are laid out as in spike_kernels.cpp; no sum depends
// on the number of threads.

#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "shared.h"

namespace {

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
constexpr int64_t LINE = 16;                    // floats of a cache line
constexpr int64_t BLOCK_FLOATS = 1 << 16;       // transformed tiles that a thread works on together
constexpr int64_t CHUNK_FLOATS = 1 << 18;       // and all threads for a weight gradient
constexpr int64_t DEPTH = 64;                   // tiles that one product adds up, so that its operands stay in L1

// Floats between rows: an odd number of cache lines, so that rows do not compete for the same part of the cache.
int64_t row_floats(int64_t channels) { return ((channels + LINE - 1) / LINE | 1) * LINE; }

int64_t register_blocks(int64_t channels) { return (channels + COLUMNS - 1) / COLUMNS; }

struct Release {
    void operator()(float* floats) const { ::operator delete[](floats, std::align_val_t(64)); }
};

// Zeroed: what padding leaves unwritten is multiplied too, and must be finite.
std::unique_ptr<float[], Release> zeros(int64_t count) {
    float* floats = static_cast<float*>(::operator new[](count * sizeof(float), std::align_val_t(64)));
    std::fill(floats, floats + count, 0.0f);
    return std::unique_ptr<float[], Release>(floats);
}

// Feature maps of floats, bf16 or spike counts [rows][pixels][channels].
template <typename Value>
struct ValueMaps {
    const Value* values;
    int64_t image_values;
    struct Image {
        const Value* values;
        Vector at(int64_t place, int64_t count) const { return load_values(values + place, count); }
    };
    Image image(int64_t row) const { return {values + row * image_values}; }
};

// The same of spikes, from trains: row t * images + n is step t of image n.
template <typename Train>
struct SpikeMaps {
    const Train* trains;
    int64_t image_trains, images;
    struct Image {
        const Train* trains;
        int step;
        Vector at(int64_t place, int64_t count) const {
            return __builtin_convertvector(load_integers(trains + place, count) >> step & 1, Vector);
        }
    };
    Image image(int64_t row) const {
        return {trains + row % images * image_trains, static_cast<int>(row / images)};
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
inline void transform_input(const Vector* d, int64_t from, Vector* out, int64_t to) {
    const Vector d0 = d[0], d1 = d[from], d2 = d[2 * from], d3 = d[3 * from], d4 = d[4 * from], d5 = d[5 * from];
    const Vector even = d4 - 4.0f * d2, odd = d3 - 4.0f * d1, near = d4 - d2, far = d3 - d1;
    out[0] = 4.0f * d0 + (d4 - 5.0f * d2);
    out[to] = even + odd;
    out[2 * to] = even - odd;
    out[3 * to] = near + 2.0f * far;
    out[4 * to] = near - 2.0f * far;
    out[5 * to] = 4.0f * d1 + (d5 - 5.0f * d3);
}

inline void transform_product(const Vector* m, int64_t from, Vector* out, int64_t to) {
    const Vector m0 = m[0], m1 = m[from], m2 = m[2 * from], m3 = m[3 * from], m4 = m[4 * from], m5 = m[5 * from];
    const Vector sum = m1 + m2, difference = m1 - m2, far_sum = m3 + m4, far_difference = m3 - m4;
    out[0] = m0 + sum + far_sum;
    out[to] = difference + 2.0f * far_difference;
    out[2 * to] = sum + 4.0f * far_sum;
    out[3 * to] = difference + 8.0f * far_difference + m5;
}

// The transpose of transform_product.
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

// Weights of a row or column of the kernel to their COVER positions, and the transpose for their gradient.
inline void transform_weights(const Vector* w, int64_t from, Vector* out, int64_t to) {
    const Vector w0 = w[0], w1 = w[from], w2 = w[2 * from];
    const Vector even = (w0 + w2) * (-1.0f / 6), odd = w1 * (-1.0f / 6);
    const Vector far_even = w0 * (1.0f / 24) + w2 * (1.0f / 6), far_odd = w1 * (1.0f / 12);
    out[0] = w0 * 0.25f;
    out[to] = even + odd;
    out[2 * to] = even - odd;
    out[3 * to] = far_even + far_odd;
    out[4 * to] = far_even - far_odd;
    out[5 * to] = w2;
}

inline void gather_weights(const Vector* m, int64_t from, Vector* out, int64_t to) {
    const Vector m0 = m[0], m1 = m[from], m2 = m[2 * from], m3 = m[3 * from], m4 = m[4 * from], m5 = m[5 * from];
    const Vector sum = (m1 + m2) * (-1.0f / 6), difference = (m1 - m2) * (-1.0f / 6), far_sum = m3 + m4;
    out[0] = m0 * 0.25f + sum + far_sum * (1.0f / 24);
    out[to] = difference + (m3 - m4) * (1.0f / 12);
    out[2 * to] = sum + far_sum * (1.0f / 6) + m5;
}

// The SIDE x SIDE pixels from (top, left), zero outside the map, transformed to POSITIONS vectors per LANES channels. Those
// of channel c go to out + c / COLUMNS * block_floats + c % COLUMNS, position_floats apart.
template <int64_t SIDE, typename Image>
void transform_tile(const Tiles& tiles, const Image& image, int64_t top, int64_t left, int64_t channels, float* out,
                    int64_t position_floats, int64_t block_floats) {
    int64_t place[SIDE * SIDE];
    for (int64_t y = 0; y < SIDE; ++y) {
        for (int64_t x = 0; x < SIDE; ++x) {
            const bool inside = top + y >= 0 && top + y < tiles.height && left + x >= 0 && left + x < tiles.width;
            place[y * SIDE + x] = inside ? ((top + y) * tiles.width + left + x) * channels : -1;
        }
    }
    for (int64_t c = 0; c < channels; c += LANES) {
        Vector half[COVER][SIDE], whole[COVER];
        for (int64_t x = 0; x < SIDE; ++x) {
            Vector column[SIDE];
            for (int64_t y = 0; y < SIDE; ++y) {
                const int64_t at = place[y * SIDE + x];
                column[y] = at < 0 ? Vector{} : image.at(at + c, channels - c);
            }
            if constexpr (SIDE == COVER)
                transform_input(column, 1, &half[0][x], SIDE);
            else
                transform_gradient(column, 1, &half[0][x], SIDE);
        }
        float* target = out + c / COLUMNS * block_floats + c % COLUMNS;
        for (int64_t y = 0; y < COVER; ++y) {
            if constexpr (SIDE == COVER)
                transform_input(half[y], 1, whole, 1);
            else
                transform_gradient(half[y], 1, whole, 1);
            for (int64_t x = 0; x < COVER; ++x, target += position_floats) *reinterpret_cast<Vector*>(target) = whole[x];
        }
    }
}

// A tile of outputs from its POSITIONS products, clipped to the map.
void save_tile(const Tiles& tiles, const float* product, int64_t position_floats, int64_t tile, int64_t channels,
               float* out) {
    const int64_t top = tiles.top(tile), left = tiles.left(tile);
    const int64_t rows = std::min(TILE, tiles.height - top), columns = std::min(TILE, tiles.width - left);
    float* corner = out + ((tiles.row(tile) * tiles.height + top) * tiles.width + left) * channels;
    for (int64_t c = 0; c < channels; c += LANES) {
        Vector half[COVER][TILE], whole[TILE][TILE];
        for (int64_t y = 0; y < COVER; ++y) {
            Vector row[COVER];
            for (int64_t x = 0; x < COVER; ++x)
                row[x] = *reinterpret_cast<const Vector*>(product + (y * COVER + x) * position_floats + c);
            transform_product(row, 1, half[y], 1);
        }
        for (int64_t x = 0; x < TILE; ++x) transform_product(&half[0][x], TILE, &whole[0][x], TILE);
        for (int64_t y = 0; y < rows; ++y)
            for (int64_t x = 0; x < columns; ++x)
                save(whole[y][x], channels - c, corner + (y * tiles.width + x) * channels + c);
    }
}

// target[row][column] = or += sum over k of a(row, k) * b[k][column], for COUNT rows and the first VECTORS of a block's
// columns. One of a's two strides is 1: that of k where ALONG, else that of the rows.
template <int COUNT, int VECTORS, bool ALONG, bool ADD>
inline void multiply_rows(const float* a, int64_t a_floats, const float* b, int64_t depth, float* target,
                          int64_t target_floats) {
    Vector sum[COUNT][VECTORS];
#pragma GCC unroll 12
    for (int r = 0; r < COUNT; ++r)
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; ++v)
            sum[r][v] = ADD ? reinterpret_cast<const Vector*>(target + r * target_floats)[v] : Vector{};
    for (int64_t k = 0; k < depth; ++k) {
        Vector factors[VECTORS];
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; ++v) factors[v] = reinterpret_cast<const Vector*>(b + k * COLUMNS)[v];
#pragma GCC unroll 12
        for (int r = 0; r < COUNT; ++r) {
            const Vector factor = spread(ALONG ? a[r * a_floats + k] : a[k * a_floats + r]);
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; ++v) sum[r][v] += factor * factors[v];
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < COUNT; ++r)
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; ++v) reinterpret_cast<Vector*>(target + r * target_floats)[v] = sum[r][v];
}

// multiply_rows for 1 to ROWS rows, by their number less one.
template <int VECTORS, bool ALONG, bool ADD, int... LESS_ONE>
void multiply_count(std::integer_sequence<int, LESS_ONE...>, int64_t count, const float* a, int64_t a_floats,
                    const float* b, int64_t depth, float* target, int64_t target_floats) {
    using Product = void (*)(const float*, int64_t, const float*, int64_t, float*, int64_t);
    constexpr Product products[] = {multiply_rows<LESS_ONE + 1, VECTORS, ALONG, ADD>...};
    products[count - 1](a, a_floats, b, depth, target, target_floats);
}

// The same for any number of rows, ROWS at most together and as evenly as possible, and the columns of a register block.
template <bool ALONG, bool ADD>
void multiply(const float* a, int64_t a_floats, const float* b, int64_t depth, int64_t rows, int64_t columns,
              float* target, int64_t target_floats) {
    constexpr auto counts = std::make_integer_sequence<int, ROWS>();
    for (int64_t row = 0, groups = (rows + ROWS - 1) / ROWS; groups > 0; --groups) {
        const int64_t count = (rows - row + groups - 1) / groups;
        const float* from = a + (ALONG ? row * a_floats : row);
        float* to = target + row * target_floats;
        if (columns > LANES)
            multiply_count<2, ALONG, ADD>(counts, count, from, a_floats, b, depth, to, target_floats);
        else
            multiply_count<1, ALONG, ADD>(counts, count, from, a_floats, b, depth, to, target_floats);
        row += count;
    }
}

// Weights [9][inputs][blocks * COLUMNS] to [POSITIONS][blocks][inputs][COLUMNS].
void transform_all_weights(const Convolution& shape, const float* weights, float* out) {
    const int64_t wide = register_blocks(shape.outputs), row = wide * COLUMNS, position_floats = shape.inputs * row;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < shape.inputs; ++i) {
        for (int64_t o = 0; o < row; o += LANES) {
            Vector kernel[KERNEL * KERNEL], half[COVER][KERNEL], whole[COVER];
            for (int64_t k = 0; k < KERNEL * KERNEL; ++k)
                kernel[k] = *reinterpret_cast<const Vector*>(weights + k * position_floats + i * row + o);
            for (int64_t x = 0; x < KERNEL; ++x) transform_weights(kernel + x, KERNEL, &half[0][x], KERNEL);
            float* target = out + (o / COLUMNS * shape.inputs + i) * COLUMNS + o % COLUMNS;
            for (int64_t y = 0; y < COVER; ++y) {
                transform_weights(half[y], 1, whole, 1);
                for (int64_t x = 0; x < COVER; ++x, target += position_floats)
                    *reinterpret_cast<Vector*>(target) = whole[x];
            }
        }
    }
}

// The gradient of weights [9][floats] from that of their transforms [POSITIONS][floats].
void gather_all_weights(const float* sums, int64_t floats, float* out) {
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < floats; i += LANES) {
        Vector place[POSITIONS], half[COVER][KERNEL], whole[KERNEL][KERNEL];
        for (int64_t p = 0; p < POSITIONS; ++p) place[p] = *reinterpret_cast<const Vector*>(sums + p * floats + i);
        for (int64_t y = 0; y < COVER; ++y) gather_weights(place + y * COVER, 1, half[y], 1);
        for (int64_t x = 0; x < KERNEL; ++x) gather_weights(&half[0][x], KERNEL, &whole[0][x], KERNEL);
        for (int64_t k = 0; k < KERNEL * KERNEL; ++k)
            *reinterpret_cast<Vector*>(out + k * floats + i) = whole[k / KERNEL][k % KERNEL];
    }
}

template <typename Maps>
void convolve(const Convolution& shape, const Maps& maps, const float* weights, float* out) {
    const Tiles tiles(shape);
    const int64_t in_floats = row_floats(shape.inputs), out_floats = row_floats(shape.outputs);
    const int64_t fitting = BLOCK_FLOATS / (POSITIONS * (in_floats + out_floats)) / ROWS * ROWS;
    const int64_t chunk = std::min(std::max(fitting, 4 * ROWS), tiles.count);
    const int64_t in_place = chunk * in_floats + LINE, out_place = chunk * out_floats + LINE;
    const int64_t wide = register_blocks(shape.outputs), block_floats = shape.inputs * COLUMNS;
    const auto transformed = zeros(POSITIONS * wide * block_floats);
    transform_all_weights(shape, weights, transformed.get());
#pragma omp parallel
    {
        const auto inputs = zeros(POSITIONS * in_place), products = zeros(POSITIONS * out_place);
#pragma omp for schedule(static)
        for (int64_t first = 0; first < tiles.count; first += chunk) {
            const int64_t count = std::min(chunk, tiles.count - first);
            for (int64_t i = 0; i < count; ++i)
                transform_tile<COVER>(tiles, maps.image(tiles.row(first + i)), tiles.top(first + i) - 1,
                                      tiles.left(first + i) - 1, shape.inputs, inputs.get() + i * in_floats, in_place,
                                      COLUMNS);
            for (int64_t place = 0; place < POSITIONS; ++place)
                for (int64_t block = 0; block < wide; ++block)
                    multiply<true, false>(inputs.get() + place * in_place, in_floats,
                                          transformed.get() + (place * wide + block) * block_floats, shape.inputs, count,
                                          shape.outputs - block * COLUMNS, products.get() + place * out_place + block * COLUMNS,
                                          out_floats);
            for (int64_t i = 0; i < count; ++i)
                save_tile(tiles, products.get() + i * out_floats, out_place, first + i, shape.outputs, out);
        }
    }
}

template <typename Maps, typename Gradients>
void weight_gradient(const Convolution& shape, const Maps& maps, const Gradients& gradients, float* out) {
    const Tiles tiles(shape);
    const int64_t in_floats = row_floats(shape.inputs), wide = register_blocks(shape.outputs);
    const int64_t fitting = CHUNK_FLOATS / (POSITIONS * (in_floats + wide * COLUMNS));
    const int64_t chunk = std::min(std::max(fitting, DEPTH), tiles.count);
    const int64_t block_floats = chunk * COLUMNS + LINE, in_place = chunk * in_floats + LINE;
    const int64_t out_place = wide * block_floats;
    const auto inputs = zeros(POSITIONS * in_place), outputs = zeros(POSITIONS * out_place);
    const auto sums = zeros(POSITIONS * shape.inputs * wide * COLUMNS);
#pragma omp parallel
    for (int64_t first = 0; first < tiles.count; first += chunk) {
        const int64_t count = std::min(chunk, tiles.count - first);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < count; ++i) {
            const int64_t tile = first + i, row = tiles.row(tile), top = tiles.top(tile), left = tiles.left(tile);
            transform_tile<COVER>(tiles, maps.image(row), top - 1, left - 1, shape.inputs, inputs.get() + i * in_floats,
                                  in_place, COLUMNS);
            transform_tile<TILE>(tiles, gradients.image(row), top, left, shape.outputs, outputs.get() + i * COLUMNS,
                                 out_place, block_floats);
        }
#pragma omp for schedule(static)
        for (int64_t place = 0; place < POSITIONS; ++place) {
            for (int64_t begin = 0; begin < count; begin += DEPTH)
                for (int64_t block = 0; block < wide; ++block)
                    multiply<false, true>(inputs.get() + place * in_place + begin * in_floats, in_floats,
                                          outputs.get() + place * out_place + block * block_floats + begin * COLUMNS,
                                          std::min(DEPTH, count - begin), shape.inputs, shape.outputs - block * COLUMNS,
                                          sums.get() + (place * shape.inputs * wide + block) * COLUMNS, wide * COLUMNS);
        }
    }
    gather_all_weights(sums.get(), shape.inputs * wide * COLUMNS, out);
}

}  // namespace

extern "C" {

// out [T][N][H][W][outputs] of maps [T][N][H][W][inputs], of floats or bf16 (value_bytes 4 or 2), and weights
// [9][inputs][outputs, padded with zeros to whole register blocks].
void winograd_convolution(const Convolution* shape, const void* maps, int32_t value_bytes, const float* weights,
                          float* out) {
    const int64_t size = shape->height * shape->width * shape->inputs;
    if (value_bytes == 4)
        convolve(*shape, ValueMaps<float>{static_cast<const float*>(maps), size}, weights, out);
    else
        convolve(*shape, ValueMaps<uint16_t>{static_cast<const uint16_t*>(maps), size}, weights, out);
}

// The same of spikes, from trains [N][H][W][inputs] (train_bytes 1 or 4).
void winograd_spike_convolution(const Convolution* shape, const void* trains, int32_t train_bytes, const float* weights,
                                float* out) {
    const int64_t size = shape->height * shape->width * shape->inputs;
    if (train_bytes == 1)
        convolve(*shape, SpikeMaps<uint8_t>{static_cast<const uint8_t*>(trains), size, shape->images}, weights, out);
    else
        convolve(*shape, SpikeMaps<int32_t>{static_cast<const int32_t*>(trains), size, shape->images}, weights, out);
}

// Gradient of such weights from that of the sums.
void winograd_weight_gradient(const Convolution* shape, const void* trains, int32_t train_bytes, const float* gradient,
                              float* out) {
    const int64_t size = shape->height * shape->width * shape->inputs;
    const ValueMaps<float> gradients{gradient, shape->height * shape->width * shape->outputs};
    if (train_bytes == 1)
        weight_gradient(*shape, SpikeMaps<uint8_t>{static_cast<const uint8_t*>(trains), size, shape->images}, gradients,
                        out);
    else
        weight_gradient(*shape, SpikeMaps<int32_t>{static_cast<const int32_t*>(trains), size, shape->images}, gradients,
                        out);
}

// The same for spike counts [N][H][W][inputs], from floats or bf16 (value_bytes 4 or 2).
void winograd_count_weight_gradient(const Convolution* shape, const uint8_t* counts, const void* gradient,
                                    int32_t value_bytes, float* out) {
    const int64_t pixels = shape->height * shape->width, size = pixels * shape->outputs;
    const ValueMaps<uint8_t> maps{counts, pixels * shape->inputs};
    if (value_bytes == 4)
        weight_gradient(*shape, maps, ValueMaps<float>{static_cast<const float*>(gradient), size}, out);
    else
        weight_gradient(*shape, maps, ValueMaps<uint16_t>{static_cast<const uint16_t*>(gradient), size}, out);
}

// Floats of a whole vector: weights are padded to it, and here to two of them.
int32_t vector_floats() { return LANES; }

// Spikes of trains [count], and how many trains have any.
void count_spikes(const void* trains, int32_t train_bytes, int64_t count, int64_t* spikes, int64_t* active) {
    int64_t found = 0, busy = 0;
    const uint8_t* bytes = static_cast<const uint8_t*>(trains);
    const uint32_t* words = static_cast<const uint32_t*>(trains);
#pragma omp parallel for schedule(static) reduction(+ : found, busy)
    for (int64_t i = 0; i < count; ++i) {
        const uint32_t train = train_bytes == 1 ? bytes[i] : words[i];
        found += __builtin_popcount(train);
        busy += train != 0;
    }
    *spikes = found;
    *active = busy;
}

}  // extern "C"
