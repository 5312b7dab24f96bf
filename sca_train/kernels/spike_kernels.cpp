// Event-driven training kernels for spiking layers on the CPU.
//
// A spike train of T steps is one integer, bit t the spike at step t, as in the hardware. Three ideas carry the speed:
//   - batch norm, neurons, masks, pooling and the activity that pruning needs are one pass over the sums, and their
//     gradient is one more: membrane potentials are computed again instead of being kept;
//   - a convolution of spikes adds the weight rows of the inputs that spike, and multiplies nothing;
//   - its weight gradient adds, for each input train, one of the 16 sums over subsets of four steps' gradients, so the
//     steps of a train cost one addition together.
// Feature maps are [T][N][H][W][C] with channels fastest (torch: channels_last), trains [N][H][W][C].
// Work is cut into images, and sums over images are taken in the order of images: results do not depend on the number
// of threads. All functions are plain C for ctypes; the shapes are checked by the caller.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "layer.h"

namespace {

constexpr int MAX_T = 32;
constexpr int SUBSET_STEPS = 4;           // time steps whose gradients are summed over all subsets
constexpr int SUBSETS = 1 << SUBSET_STEPS;

// exp for x <= 0, relative error below 1e-6: 2^n times a polynomial of the remainder.
inline Vector exp_negative(Vector x) {
    x = x < -80.0f ? Vector{} - 80.0f : x;
    const Vector scaled = x * 1.44269504f;
    const Integers whole = __builtin_convertvector(scaled - 0.5f, Integers);
    const Vector part = (scaled - __builtin_convertvector(whole, Vector)) * 0.693147181f;
    const Vector power = 1.0f + part * (1.0f + part * (0.5f + part * (0.166666667f + part * (0.0416666667f
                         + part * (0.00833333333f + part * 0.00138888889f)))));
    return power * (Vector)((whole + 127) << 23);
}

// Derivative of the sigmoid surrogate: alpha * s * (1 - s) at alpha * x.
inline Vector surrogate_gradient(Vector x, float alpha) {
    const Vector e = exp_negative(-absolute(alpha * x));
    const Vector d = 1.0f + e;
    return alpha * e / (d * d);
}

struct Moments {
    Vector centre{};
    Total total, squares;
};

}  // namespace

extern "C" {

// Per-channel sums and sums of squares of x - shift over rows [rows][channels], cut into `parts` equal runs of rows.
void channel_moments(const float* x, int64_t rows, int64_t channels, int64_t parts, const double* shift,
                     double* partial /* [parts][2][channels] */) {
    const int64_t per_part = rows / parts;
#pragma omp parallel for schedule(static)
    for (int64_t part = 0; part < parts; ++part) {
        double* sums = partial + part * 2 * channels;
        std::vector<Moments> blocks(blocks_of(channels));
        for (size_t b = 0; b < blocks.size(); ++b)
            for (int64_t j = 0; j < in_block(channels, b); ++j)
                blocks[b].centre[j] = static_cast<float>(shift[b * LANES + j]);
        const float* row = x + part * per_part * channels;
        for (int64_t r = 0; r < per_part; ++r, row += channels) {
            for (size_t b = 0; b < blocks.size(); ++b) {
                const Vector value = load(row + b * LANES, in_block(channels, b)) - blocks[b].centre;
                blocks[b].total.now += value;
                blocks[b].squares.now += value * value;
                if (r % 64 == 63) blocks[b].total.flush(), blocks[b].squares.flush();
            }
        }
        for (size_t b = 0; b < blocks.size(); ++b) {
            blocks[b].total.flush(), blocks[b].squares.flush();
            write(blocks[b].total.whole, in_block(channels, b), sums + b * LANES);
            write(blocks[b].squares.whole, in_block(channels, b), sums + channels + b * LANES);
        }
    }
}

}  // extern "C"

namespace {

// Potentials before reset H[t] and the spike trains of LANES neurons of one pixel. Never inlined, so that forward and
// backward round alike and see the same spikes.
template <bool SOFT>
__attribute__((noinline)) Integers integrate(const Layer& layer, const float* sums, int64_t step_stride, Vector scale,
                                             Vector shift, int64_t count, Vector* potential) {
    Vector carried = spread(layer.initial), current{};
    Integers train{};
    for (int64_t t = 0; t < layer.timesteps; ++t) {
        if (t == 0 || !layer.static_input) current = scale * load(sums + t * step_stride, count) + shift;
        const Vector before = layer.keep * carried + layer.gain * current;
        const Integers spike = before >= layer.threshold;
        potential[t] = before;
        train |= spike & static_cast<int32_t>(1u << t);
        carried = SOFT ? (spike ? before - layer.threshold : before) : (spike ? Vector{} : before);
    }
    return train;
}

struct ForwardBlock {
    Vector scale, shift;
    Integers kept;
    Integers spikes{};
    Total activity;
};

template <typename Train, bool SOFT>
void forward(const Layer& layer, const float* sums, const float* scale, const float* shift, const float* mask,
             Train* trains, double* potential_sums, double* spike_sums) {
    typedef Train Several __attribute__((vector_size(LANES * sizeof(Train))));
    const Map map(layer);
    const bool record = potential_sums != nullptr;
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < layer.images; ++n) {
        Vector potential[MAX_T];
        std::vector<ForwardBlock> blocks(blocks_of(layer.channels));
        for (size_t b = 0; b < blocks.size(); ++b) {
            const int64_t begin = b * LANES, count = in_block(layer.channels, b);
            blocks[b].scale = load(scale + begin, count);
            blocks[b].shift = load(shift + begin, count);
            blocks[b].kept = load(mask + begin, count) != 0.0f;
        }
        for (int64_t row = 0; row < map.rows; ++row) {
            for (int64_t column = 0; column < map.columns; ++column) {
                for (size_t b = 0; b < blocks.size(); ++b) {
                    const int64_t begin = b * LANES, count = in_block(layer.channels, b);
                    ForwardBlock& block = blocks[b];
                    Integers pooled{};
                    for (int64_t k = 0; k < layer.pool * layer.pool; ++k) {
                        const Integers train =
                            integrate<SOFT>(layer, sums + map.at(n, row, column, k) + begin, map.step, block.scale,
                                            block.shift, count, potential);
                        pooled |= train;
                        if (!record) continue;
                        for (int64_t t = 0; t < layer.timesteps; ++t) {
                            block.activity.now += absolute(potential[t]);
                            block.spikes += train >> static_cast<int>(t) & 1;
                        }
                    }
                    pooled &= block.kept;
                    write(__builtin_convertvector(pooled, Several), count, trains + map.pooled_at(n, row, column) + begin);
                }
            }
            for (ForwardBlock& block : blocks) block.activity.flush();
        }
        if (!record) continue;
        for (size_t b = 0; b < blocks.size(); ++b) {
            for (int64_t j = 0; j < in_block(layer.channels, b); ++j) {
                const int64_t at = n * layer.channels + b * LANES + j;
                potential_sums[at] = blocks[b].activity.whole[j];
                spike_sums[at] = blocks[b].spikes[j];
            }
        }
    }
}

struct BackwardBlock {
    Vector scale, shift, centre{}, inverse{};
    Vector always;         // the gradient of the firing rate
    Integers kept, open;   // channels that send spikes, and those that gradients reach
    Total total, product;
};

// What a pixel of a pooling window did: its potentials before reset, and its spike train.
struct Pixel {
    Vector potential[MAX_T];
    Integers train;
};

template <bool SOFT, typename Stored>
void backward(const Layer& layer, const float* sums, const float* scale, const float* shift, const float* mask,
              bool regrow, float rate_gradient, const Stored* spike_gradient, const double* mean,
              const double* deviation, float* current_gradient, double* partial) {
    const Map map(layer);
    const int64_t window = layer.pool * layer.pool;
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < layer.images; ++n) {
        Vector arriving[MAX_T];
        std::vector<Pixel> pixels(window);
        std::vector<BackwardBlock> blocks(blocks_of(layer.channels));
        for (size_t b = 0; b < blocks.size(); ++b) {
            const int64_t begin = b * LANES, count = in_block(layer.channels, b);
            BackwardBlock& block = blocks[b];
            block.scale = load(scale + begin, count);
            block.shift = load(shift + begin, count);
            block.kept = load(mask + begin, count) != 0.0f;
            block.open = regrow ? ~Integers{} : block.kept;
            block.always = (Vector)((Integers)spread(rate_gradient) & block.kept);
            for (int64_t j = 0; j < count; ++j) {
                block.centre[j] = static_cast<float>(mean[begin + j]);
                block.inverse[j] = static_cast<float>(1.0 / deviation[begin + j]);
            }
        }
        for (int64_t row = 0; row < map.rows; ++row) {
            for (int64_t column = 0; column < map.columns; ++column) {
                for (size_t b = 0; b < blocks.size(); ++b) {
                    const int64_t begin = b * LANES, count = in_block(layer.channels, b);
                    BackwardBlock& block = blocks[b];
                    const Stored* gradient = spike_gradient + map.pooled_at(n, row, column) + begin;
                    for (int64_t t = 0; t < layer.timesteps; ++t)
                        arriving[t] = (Vector)((Integers)load_values(gradient + t * map.pooled_step, count) & block.open);
                    // Of a window, the first pixel that spikes at a step gets that step's gradient, or the first of
                    // all where none spikes; masked channels send no spikes.
                    Integers sent{}, taken{};
                    for (int64_t k = 0; k < window; ++k) {
                        pixels[k].train = integrate<SOFT>(layer, sums + map.at(n, row, column, k) + begin, map.step,
                                                          block.scale, block.shift, count, pixels[k].potential);
                        sent |= pixels[k].train & block.kept;
                    }
                    Vector total{}, product{};
                    for (int64_t k = 0; k < window; ++k) {
                        const int64_t at = map.at(n, row, column, k) + begin;
                        const Integers train = pixels[k].train;
                        const Integers mine = (train & block.kept & ~taken) | (k == 0 ? ~sent : Integers{});
                        taken |= train & block.kept;
                        Vector carried{}, summed{};
                        for (int64_t t = layer.timesteps - 1; t >= 0; --t) {
                            const int32_t bit = static_cast<int32_t>(1u << t);
                            const Vector passed = window == 1 ? arriving[t] : ((mine & bit) != 0 ? arriving[t] : Vector{});
                            // The reset is detached: a spike cuts what is carried (hard) or lets it pass (soft).
                            const Vector through = SOFT ? carried : ((train & bit) != 0 ? Vector{} : carried);
                            const Vector before = through + (passed + block.always)
                                * surrogate_gradient(pixels[k].potential[t] - layer.threshold, layer.alpha);
                            const Vector current = layer.gain * before;
                            carried = layer.keep * before;
                            // Static sums are one term at every step: their gradient is the sum over the steps.
                            summed += current;
                            if (layer.static_input) continue;
                            total += current;
                            product += current * (load(sums + t * map.step + at, count) - block.centre);
                            save(current, count, current_gradient + t * map.step + at);
                        }
                        if (layer.static_input) {
                            total += summed;
                            product += summed * (load(sums + at, count) - block.centre);
                            save(summed, count, current_gradient + at);
                        }
                    }
                    block.total.now += total;
                    block.product.now += product;
                }
            }
            for (BackwardBlock& block : blocks) block.total.flush(), block.product.flush();
        }
        double* totals = partial + n * 2 * layer.channels;
        for (size_t b = 0; b < blocks.size(); ++b) {
            for (int64_t j = 0; j < in_block(layer.channels, b); ++j) {
                totals[b * LANES + j] = blocks[b].total.whole[j];
                totals[layer.channels + b * LANES + j] = blocks[b].product.whole[j] * blocks[b].inverse[j];
            }
        }
    }
}

}  // namespace

extern "C" {

// Trains [N][H/pool][W/pool][C] (1 or 4 bytes each) from sums and batch norm as scale and shift per channel. Per image
// and channel, where they are not null, potential_sums adds |H| over map and steps, and spike_sums counts the spikes
// before mask and pooling.
void neuron_forward(const Layer* layer, const float* sums, const float* scale, const float* shift, const float* mask,
                    void* trains, int32_t train_bytes, double* potential_sums, double* spike_sums) {
    if (train_bytes == 1) {
        (layer->soft_reset ? forward<uint8_t, true> : forward<uint8_t, false>)(
            *layer, sums, scale, shift, mask, static_cast<uint8_t*>(trains), potential_sums, spike_sums);
    } else {
        (layer->soft_reset ? forward<uint32_t, true> : forward<uint32_t, false>)(
            *layer, sums, scale, shift, mask, static_cast<uint32_t*>(trains), potential_sums, spike_sums);
    }
}

// Gradient of the normalised sums (before batch norm's own gradient) from that of the pooled spikes, as float or bf16,
// and per image and channel its sum and its product with the normalised sums: partial [N][2][C].
void neuron_backward(const Layer* layer, const float* sums, const float* scale, const float* shift, const float* mask,
                     int32_t regrow, float rate_gradient, const void* spike_gradient, int32_t bytes, const double* mean,
                     const double* deviation, float* current_gradient, double* partial) {
    if (bytes == 2)
        (layer->soft_reset ? backward<true, uint16_t> : backward<false, uint16_t>)(
            *layer, sums, scale, shift, mask, regrow != 0, rate_gradient, static_cast<const uint16_t*>(spike_gradient),
            mean, deviation, current_gradient, partial);
    else
        (layer->soft_reset ? backward<true, float> : backward<false, float>)(
            *layer, sums, scale, shift, mask, regrow != 0, rate_gradient, static_cast<const float*>(spike_gradient),
            mean, deviation, current_gradient, partial);
}

// Batch norm's gradient in place: gradient = factor * (gradient - offset - slope * (x - mean)) per channel.
void norm_backward(const float* x, float* gradient, int64_t rows, int64_t channels, const float* factor,
                   const float* offset, const float* slope, const float* mean) {
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; ++r) {
        const float* values = x + r * channels;
        float* __restrict target = gradient + r * channels;
        for (int64_t c = 0; c < channels; c += LANES) {
            const int64_t count = channels - c;
            save(load(factor + c, count) * (load(target + c, count) - load(offset + c, count)
                                            - load(slope + c, count) * (load(values + c, count) - load(mean + c, count))),
                 count, target + c);
        }
    }
}

}  // extern "C"

namespace {

// The spikes of one image, by step, row and column: x * inputs + channel of each. Those that one row of a kernel covers
// then stand together, and their distance to the first is the index of their weights.
struct Events {
    std::vector<uint32_t> place;
    std::vector<uint32_t> begin;   // [T][pixels + 1] into place

    template <typename Train>
    void collect(const Convolution& shape, const Train* trains) {
        const int64_t pixels = shape.height * shape.width;
        place.resize(shape.timesteps * pixels * shape.inputs + 1);
        begin.resize(shape.timesteps * (pixels + 1));
        uint32_t* next = place.data();
        for (int64_t t = 0; t < shape.timesteps; ++t) {
            for (int64_t p = 0; p < pixels; ++p) {
                begin[t * (pixels + 1) + p] = static_cast<uint32_t>(next - place.data());
                const Train* row = trains + p * shape.inputs;
                const uint32_t first = static_cast<uint32_t>(p % shape.width * shape.inputs);
                // Always written, kept only where it spikes: no branch to predict.
                for (int64_t i = 0; i < shape.inputs; ++i) {
                    *next = first + static_cast<uint32_t>(i);
                    next += row[i] >> t & 1;
                }
            }
            begin[t * (pixels + 1) + pixels] = static_cast<uint32_t>(next - place.data());
        }
    }
};

// Columns of the input that one output's kernel covers inside the map, and the kernel column of the first.
struct KernelExtent {
    int64_t first, last;
    KernelExtent(const Convolution& shape, int64_t x) {
        const int64_t left = x * shape.stride - shape.padding();
        first = std::max<int64_t>(left, 0);
        last = std::min<int64_t>(left + shape.kernel, shape.width);
    }
};

// One image: out [T][..][out_height][out_width][outputs], VECTORS * LANES outputs from `column`.
template <int VECTORS>
void convolve_image(const Convolution& shape, const Events& events, const float* weights, int64_t padded,
                    int64_t column, float* out, int64_t step_stride) {
    const int64_t pixels = shape.height * shape.width, padding = shape.padding();
    const int64_t floats = std::min<int64_t>(VECTORS * LANES, shape.outputs - column);
    for (int64_t t = 0; t < shape.timesteps; ++t) {
        const uint32_t* begin = events.begin.data() + t * (pixels + 1);
        for (int64_t y = 0; y < shape.out_height; ++y) {
            for (int64_t x = 0; x < shape.out_width; ++x) {
                const KernelExtent extent(shape, x);
                Vector sum[VECTORS], other[VECTORS];
#pragma GCC unroll 8
                for (int v = 0; v < VECTORS; ++v) sum[v] = other[v] = Vector{};
                for (int64_t ky = 0; ky < shape.kernel; ++ky) {
                    const int64_t in_y = y * shape.stride + ky - padding;
                    if (in_y < 0 || in_y >= shape.height) continue;
                    // The weights of place p are row p - (column of the kernel's left edge) * inputs of this kernel row.
                    const float* rows = weights + column
                        + (ky * shape.kernel - (x * shape.stride - padding)) * shape.inputs * padded;
                    const uint32_t* event = events.place.data() + begin[in_y * shape.width + extent.first];
                    const uint32_t* last = events.place.data() + begin[in_y * shape.width + extent.last];
                    if (VECTORS <= 4) {
                        // Two sums at a time hide the latency of the additions.
                        for (; event + 1 < last; event += 2) {
                            const Vector* row = reinterpret_cast<const Vector*>(rows + event[0] * padded);
                            const Vector* next = reinterpret_cast<const Vector*>(rows + event[1] * padded);
#pragma GCC unroll 8
                            for (int v = 0; v < VECTORS; ++v) {
                                sum[v] += row[v];
                                other[v] += next[v];
                            }
                        }
                    }
                    for (; event < last; ++event) {
                        const Vector* row = reinterpret_cast<const Vector*>(rows + *event * padded);
#pragma GCC unroll 8
                        for (int v = 0; v < VECTORS; ++v) sum[v] += row[v];
                    }
                }
#pragma GCC unroll 8
                for (int v = 0; v < VECTORS; ++v) sum[v] += other[v];
                float* target = out + t * step_stride + (y * shape.out_width + x) * shape.outputs + column;
#pragma GCC unroll 8
                for (int v = 0; v < VECTORS; ++v)
                    if (v * LANES < floats) save(sum[v], floats - v * LANES, target + v * LANES);
            }
        }
    }
}

// Sums over all subsets of the gradients of up to four steps: table [16][VECTORS].
template <int VECTORS>
inline void subset_sums(const float* gradient, int64_t step_stride, int64_t steps, int64_t floats,
                        Vector (*table)[VECTORS]) {
    for (int v = 0; v < VECTORS; ++v) table[0][v] = Vector{};
    for (int64_t t = 0; t < steps; ++t) {
        Vector row[VECTORS];
#pragma GCC unroll 8
        for (int v = 0; v < VECTORS; ++v)
            row[v] = v * LANES < floats ? load(gradient + t * step_stride + v * LANES, floats - v * LANES) : Vector{};
        for (int s = 0; s < 1 << t; ++s)
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; ++v) table[(1 << t) + s][v] = table[s][v] + row[v];
    }
}

// Adds one image's weight gradient to sums [kernel*kernel][inputs][padded], outputs from `column`.
template <int VECTORS, typename Train>
void weight_gradient_image(const Convolution& shape, const Train* trains, const float* gradient, int64_t step_stride,
                           int64_t padded, int64_t column, float* sums) {
    const int64_t padding = shape.padding();
    const int64_t floats = std::min<int64_t>(VECTORS * LANES, shape.outputs - column);
    Vector table[SUBSETS][VECTORS];
    std::vector<uint32_t> place(shape.width * shape.inputs + 1);
    std::vector<uint8_t> pattern(shape.width * shape.inputs + 1);
    std::vector<uint32_t> begin(shape.width + 1);
    for (int64_t first = 0; first < shape.timesteps; first += SUBSET_STEPS) {
        const int64_t steps = std::min<int64_t>(SUBSET_STEPS, shape.timesteps - first);
        for (int64_t in_y = 0; in_y < shape.height; ++in_y) {
            // The trains of one row that spike in these steps.
            uint32_t found = 0;
            for (int64_t x = 0; x < shape.width; ++x) {
                begin[x] = found;
                const Train* row = trains + (in_y * shape.width + x) * shape.inputs;
                for (int64_t i = 0; i < shape.inputs; ++i) {
                    const uint8_t bits = row[i] >> first & (SUBSETS - 1);
                    place[found] = static_cast<uint32_t>(x * shape.inputs + i);
                    pattern[found] = bits;
                    found += bits != 0;
                }
            }
            begin[shape.width] = found;
            for (int64_t ky = 0; ky < shape.kernel; ++ky) {
                const int64_t scaled = in_y + padding - ky;
                if (scaled < 0 || scaled % shape.stride) continue;
                const int64_t y = scaled / shape.stride;
                if (y >= shape.out_height) continue;
                for (int64_t x = 0; x < shape.out_width; ++x) {
                    const KernelExtent extent(shape, x);
                    subset_sums<VECTORS>(gradient + first * step_stride + (y * shape.out_width + x) * shape.outputs + column,
                                         step_stride, steps, floats, table);
                    float* rows = sums + column + (ky * shape.kernel - (x * shape.stride - padding)) * shape.inputs * padded;
                    for (uint32_t e = begin[extent.first]; e < begin[extent.last]; ++e) {
                        Vector* row = reinterpret_cast<Vector*>(rows + place[e] * padded);
                        const Vector* added = table[pattern[e]];
#pragma GCC unroll 8
                        for (int v = 0; v < VECTORS; ++v) row[v] += added[v];
                    }
                }
            }
        }
    }
}

// Calls function<vectors>(column) for column blocks that cover `padded` outputs, at most `widest` vectors each.
#define FOR_COLUMN_BLOCKS(widest, CALL)                                              \
    for (int64_t column = 0; column < padded;) {                                     \
        const int64_t vectors = std::min<int64_t>((widest), (padded - column) / LANES); \
        switch (vectors) {                                                           \
            case 1: CALL(1); break;                                                  \
            case 2: CALL(2); break;                                                  \
            case 3: CALL(3); break;                                                  \
            case 4: CALL(4); break;                                                  \
            case 5: CALL(5); break;                                                  \
            case 6: CALL(6); break;                                                  \
            case 7: CALL(7); break;                                                  \
            default: CALL(8); break;                                                 \
        }                                                                            \
        column += vectors * LANES;                                                   \
    }

template <typename Train>
void convolve(const Convolution& shape, const Train* trains, const float* weights, float* out) {
    const int64_t padded = (shape.outputs + LANES - 1) / LANES * LANES;
    const int64_t in_size = shape.height * shape.width * shape.inputs;
    const int64_t out_size = shape.out_height * shape.out_width * shape.outputs;
#pragma omp parallel
    {
        Events events;
#pragma omp for schedule(static)
        for (int64_t n = 0; n < shape.images; ++n) {
            events.collect(shape, trains + n * in_size);
#define CONVOLVE(VECTORS) \
    convolve_image<VECTORS>(shape, events, weights, padded, column, out + n * out_size, shape.images * out_size)
            FOR_COLUMN_BLOCKS(8, CONVOLVE)
#undef CONVOLVE
        }
    }
}

template <typename Train>
void weight_gradient(const Convolution& shape, const Train* trains, const float* gradient, int64_t parts,
                     float* partial) {
    const int64_t padded = (shape.outputs + LANES - 1) / LANES * LANES;
    const int64_t size = shape.kernel * shape.kernel * shape.inputs * padded;
    const int64_t in_size = shape.height * shape.width * shape.inputs;
    const int64_t out_size = shape.out_height * shape.out_width * shape.outputs;
#pragma omp parallel for schedule(static)
    for (int64_t part = 0; part < parts; ++part) {
        float* sums = partial + part * size;
        std::fill(sums, sums + size, 0.0f);
        for (int64_t n = shape.images * part / parts; n < shape.images * (part + 1) / parts; ++n) {
#define GRADIENT(VECTORS)                                                                                        \
    weight_gradient_image<VECTORS>(shape, trains + n * in_size, gradient + n * out_size, shape.images * out_size, \
                                   padded, column, sums)
            FOR_COLUMN_BLOCKS(4, GRADIENT)
#undef GRADIENT
        }
    }
}

template <typename Train, typename Number>
void unpack_to(const Train* trains, int64_t count, int64_t timesteps, Number* spikes) {
#pragma omp parallel for schedule(static)
    for (int64_t t = 0; t < timesteps; ++t)
        for (int64_t i = 0; i < count; ++i) spikes[t * count + i] = static_cast<Number>(trains[i] >> t & 1u);
}

}  // namespace

extern "C" {

// out [T][N][out_height][out_width][outputs] of trains and weights [kernel*kernel][inputs][outputs, padded with zeros to
// whole vectors].
void spike_convolution(const Convolution* shape, const void* trains, int32_t train_bytes, const float* weights,
                       float* out) {
    if (train_bytes == 1)
        convolve(*shape, static_cast<const uint8_t*>(trains), weights, out);
    else
        convolve(*shape, static_cast<const uint32_t*>(trains), weights, out);
}

// Weight gradients of `parts` runs of images, each [kernel*kernel][inputs][padded outputs].
void spike_convolution_weight_gradient(const Convolution* shape, const void* trains, int32_t train_bytes,
                                       const float* gradient, int64_t parts, float* partial) {
    if (train_bytes == 1)
        weight_gradient(*shape, static_cast<const uint8_t*>(trains), gradient, parts, partial);
    else
        weight_gradient(*shape, static_cast<const uint32_t*>(trains), gradient, parts, partial);
}

// Spikes [T][count] of trains [count], as floats or as bytes.
void unpack(const void* trains, int32_t train_bytes, int64_t count, int64_t timesteps, float* spikes) {
    if (train_bytes == 1)
        unpack_to(static_cast<const uint8_t*>(trains), count, timesteps, spikes);
    else
        unpack_to(static_cast<const uint32_t*>(trains), count, timesteps, spikes);
}

void unpack_bytes(const void* trains, int32_t train_bytes, int64_t count, int64_t timesteps, uint8_t* spikes) {
    if (train_bytes == 1)
        unpack_to(static_cast<const uint8_t*>(trains), count, timesteps, spikes);
    else
        unpack_to(static_cast<const uint32_t*>(trains), count, timesteps, spikes);
}

}  // extern "C"
