// Training kernels for rate-equivalent layers: batch norm, rounding to spike counts, masks and pooling in one pass over
// the sums, and their gradient in two that compute the counts again instead of keeping them.
//
// Maps are [N][H][W][C] with channels fastest. Batch norm comes as one line per channel that maps a sum to
// T * current / threshold + v_init, whose floor, clipped to 0..T, is the number of spikes in T steps.
// Work is cut into images, and sums over images are taken in the order of images: results do not depend on the number
// of threads. All functions are plain C for ctypes; the shapes are checked by the caller.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "layer.h"

namespace {

inline Vector numbers(Integers x) { return __builtin_convertvector(x, Vector); }

inline Integers spikes(Vector level, int32_t timesteps) {
    const Integers whole = __builtin_convertvector(level > 0.0f ? level : Vector{}, Integers);
    return level < static_cast<float>(timesteps) ? whole : Integers{} + timesteps;
}

// Sum over the steps of |potential before reset| / threshold: at step t it is that of t + 1 currents less the spikes
// before.
inline Vector potentials(Vector level, float v_init, int32_t timesteps) {
    const Vector current = (level - v_init) / static_cast<float>(timesteps);
    Vector total{};
    for (int32_t t = 0; t < timesteps; ++t) {
        const Vector before = current * static_cast<float>(t) + v_init;
        total += absolute(current + before - numbers(spikes(before, t)));
    }
    return total;
}

struct Line {
    Vector scale, shift;
    Integers kept;
    Line(const float* scales, const float* shifts, const float* mask, int64_t begin, int64_t count)
        : scale(load(scales + begin, count)), shift(load(shifts + begin, count)),
          kept(load(mask + begin, count) != 0.0f) {}
    Vector level(const float* sums, int64_t count) const { return scale * load(sums, count) + shift; }
};

struct Tally : Line {
    using Line::Line;
    Total activity, sent;
};

std::vector<int64_t> begins(int64_t channels) {
    std::vector<int64_t> result(blocks_of(channels));
    for (size_t b = 0; b < result.size(); ++b) result[b] = b * LANES;
    return result;
}

struct Gradient : Line {
    Integers open;        // channels that gradients reach
    Vector always;        // the gradient of the firing rate
    Vector centre{}, inverse{}, factor{}, offset{}, slope{};
    Total total, product;
    Gradient(const float* scales, const float* shifts, const float* mask, int64_t begin, int64_t count, bool regrow,
             float rate_gradient)
        : Line(scales, shifts, mask, begin, count), open(regrow ? ~Integers{} : kept),
          always((Vector)((Integers)spread(rate_gradient) & kept)) {}
};

// How gradients come and which pixels of a window they reach.
struct Passing {
    float v_init, threshold, rate_gradient;
    bool regrow, average;
};

// Calls use(block, position, sums there, their gradient before batch norm) for all neurons of image n.
template <typename Stored, typename Use>
inline void each_gradient(const Layer& layer, const Map& map, int64_t n, const Passing& passing, const float* sums,
                          const Stored* arriving, std::vector<Gradient>& blocks, Use use) {
    const int64_t window = layer.pool * layer.pool;
    const int32_t timesteps = static_cast<int32_t>(layer.timesteps);
    const float share = passing.average ? 1.0f / static_cast<float>(window) : 1.0f;
    const Vector least = spread(passing.v_init), most = least + static_cast<float>(layer.timesteps);
    for (int64_t row = 0; row < map.rows; ++row) {
        for (int64_t column = 0; column < map.columns; ++column) {
            for (size_t b = 0; b < blocks.size(); ++b) {
                const int64_t begin = b * LANES, count = in_block(layer.channels, b);
                Gradient& block = blocks[b];
                Vector gradient = load_values(arriving + map.pooled_at(n, row, column) + begin, count) * share;
                gradient = (Vector)((Integers)gradient & block.open) / passing.threshold;
                // The first pixel of the window with the most spikes; masked channels send none.
                Integers largest = Integers{} - 1, first{};
                for (int64_t k = 0; k < window && window > 1 && !passing.average; ++k) {
                    const Vector level = block.level(sums + map.at(n, row, column, k) + begin, count);
                    const Integers found = spikes(level, timesteps) & block.kept;
                    first = found > largest ? Integers{} + static_cast<int32_t>(k) : first;
                    largest = found > largest ? found : largest;
                }
                for (int64_t k = 0; k < window; ++k) {
                    const int64_t at = map.at(n, row, column, k) + begin;
                    const Vector sum = load(sums + at, count);
                    const Vector level = block.scale * sum + block.shift;
                    const Integers mine = passing.average || window == 1 ? ~Integers{} : first == static_cast<int32_t>(k);
                    const Integers inside = (level >= least) & (level <= most);
                    const Vector passed = (Vector)((Integers)gradient & mine) + block.always;
                    use(block, at, count, sum, (Vector)((Integers)passed & inside));
                }
            }
        }
        for (Gradient& block : blocks) block.total.flush(), block.product.flush();
    }
}

std::vector<Gradient> gradient_blocks(const Layer& layer, const float* scale, const float* shift, const float* mask,
                                      const Passing& passing) {
    std::vector<Gradient> blocks;
    for (int64_t begin : begins(layer.channels))
        blocks.emplace_back(scale, shift, mask, begin, std::min<int64_t>(LANES, layer.channels - begin), passing.regrow,
                            passing.rate_gradient / passing.threshold);
    return blocks;
}

template <typename Stored>
void gradient_sums(const Layer& layer, const Passing& passing, const float* sums, const float* scale,
                   const float* shift, const float* mask, const Stored* arriving, const double* mean,
                   const double* deviation, double* partial) {
    const Map map(layer);
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < layer.images; ++n) {
        std::vector<Gradient> blocks = gradient_blocks(layer, scale, shift, mask, passing);
        for (size_t b = 0; b < blocks.size(); ++b)
            for (int64_t j = 0; j < in_block(layer.channels, b); ++j)
                blocks[b].centre[j] = static_cast<float>(mean[b * LANES + j]);
        each_gradient(layer, map, n, passing, sums, arriving, blocks,
                      [](Gradient& block, int64_t, int64_t, Vector sum, Vector gradient) {
                          block.total.now += gradient;
                          block.product.now += gradient * (sum - block.centre);
                      });
        double* totals = partial + n * 2 * layer.channels;
        for (size_t b = 0; b < blocks.size(); ++b) {
            for (int64_t j = 0; j < in_block(layer.channels, b); ++j) {
                const int64_t c = b * LANES + j;
                totals[c] = blocks[b].total.whole[j];
                totals[layer.channels + c] = blocks[b].product.whole[j] / deviation[c];
            }
        }
    }
}

template <typename Stored, typename Result>
void sum_gradients(const Layer& layer, const Passing& passing, const float* sums, const float* scale,
                   const float* shift, const float* mask, const Stored* arriving, const float* factor,
                   const float* offset, const float* slope, const float* mean, Result* result) {
    const Map map(layer);
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < layer.images; ++n) {
        std::vector<Gradient> blocks = gradient_blocks(layer, scale, shift, mask, passing);
        for (size_t b = 0; b < blocks.size(); ++b) {
            const int64_t begin = b * LANES, count = in_block(layer.channels, b);
            blocks[b].factor = load(factor + begin, count);
            blocks[b].offset = load(offset + begin, count);
            blocks[b].slope = load(slope + begin, count);
            blocks[b].centre = load(mean + begin, count);
        }
        each_gradient(layer, map, n, passing, sums, arriving, blocks,
                      [result](Gradient& block, int64_t at, int64_t count, Vector sum, Vector gradient) {
                          const Vector norm = block.offset + block.slope * (sum - block.centre);
                          save(block.factor * (gradient - norm), count, result + at);
                      });
    }
}

}  // namespace

extern "C" {

// Spikes [N][H/pool][W/pool][C] of T steps: of each window the most, or (average) all. Per image and channel, where they
// are not null, potential_sums adds |H| / threshold over map and steps, and spike_sums the spikes before mask and pooling.
void rate_forward(const Layer* layer, float v_init, int32_t average, const float* sums, const float* scale,
                  const float* shift, const float* mask, uint8_t* counts, double* potential_sums, double* spike_sums) {
    const Map map(*layer);
    const int64_t channels = layer->channels, window = layer->pool * layer->pool;
    const int32_t timesteps = static_cast<int32_t>(layer->timesteps);
    const bool record = potential_sums != nullptr;
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < layer->images; ++n) {
        std::vector<Tally> blocks;
        for (int64_t begin : begins(channels))
            blocks.emplace_back(scale, shift, mask, begin, std::min<int64_t>(LANES, channels - begin));
        for (int64_t row = 0; row < map.rows; ++row) {
            for (int64_t column = 0; column < map.columns; ++column) {
                for (size_t b = 0; b < blocks.size(); ++b) {
                    const int64_t begin = b * LANES, count = in_block(channels, b);
                    Tally& block = blocks[b];
                    Integers pooled{};
                    for (int64_t k = 0; k < window; ++k) {
                        const Vector level = block.level(sums + map.at(n, row, column, k) + begin, count);
                        const Integers found = spikes(level, timesteps);
                        pooled = average ? pooled + found : (found > pooled ? found : pooled);
                        if (!record) continue;
                        block.activity.now += potentials(level, v_init, timesteps);
                        block.sent.now += numbers(found);
                    }
                    write(__builtin_convertvector(pooled & block.kept, Bytes), count,
                          counts + map.pooled_at(n, row, column) + begin);
                }
            }
            for (size_t b = 0; record && b < blocks.size(); ++b) blocks[b].activity.flush(), blocks[b].sent.flush();
        }
        for (size_t b = 0; record && b < blocks.size(); ++b) {
            write(blocks[b].activity.whole, in_block(channels, b), potential_sums + n * channels + b * LANES);
            write(blocks[b].sent.whole, in_block(channels, b), spike_sums + n * channels + b * LANES);
        }
    }
}

// From the gradient of the pooled rates (counts / T, or their mean), as float or bf16: per image and channel the sum of
// the gradient before batch norm, and of its product with the normalised sums, partial [N][2][C].
void rate_gradient_sums(const Layer* layer, float v_init, int32_t average, int32_t regrow, float rate_gradient,
                        const float* sums, const float* scale, const float* shift, const float* mask,
                        const void* arriving, int32_t bytes, const double* mean, const double* deviation,
                        double* partial) {
    const Passing passing{v_init, layer->threshold, rate_gradient, regrow != 0, average != 0};
    if (bytes == 2)
        gradient_sums(*layer, passing, sums, scale, shift, mask, static_cast<const uint16_t*>(arriving), mean, deviation,
                      partial);
    else
        gradient_sums(*layer, passing, sums, scale, shift, mask, static_cast<const float*>(arriving), mean, deviation,
                      partial);
}

// The gradient of the sums, as float or bf16: factor * (gradient before batch norm - offset - slope * (sum - mean)) per
// channel.
void rate_backward(const Layer* layer, float v_init, int32_t average, int32_t regrow, float rate_gradient,
                   const float* sums, const float* scale, const float* shift, const float* mask, const void* arriving,
                   int32_t bytes, const float* factor, const float* offset, const float* slope, const float* mean,
                   void* result, int32_t result_bytes) {
    const Passing passing{v_init, layer->threshold, rate_gradient, regrow != 0, average != 0};
    const auto store = [&](auto* to) {
        if (bytes == 2)
            sum_gradients(*layer, passing, sums, scale, shift, mask, static_cast<const uint16_t*>(arriving), factor,
                          offset, slope, mean, to);
        else
            sum_gradients(*layer, passing, sums, scale, shift, mask, static_cast<const float*>(arriving), factor, offset,
                          slope, mean, to);
    };
    if (result_bytes == 2)
        store(static_cast<uint16_t*>(result));
    else
        store(static_cast<float*>(result));
}

// target [rows][channels] in bf16: x times a factor per channel, rounded once.
void round_scaled(const float* x, int64_t rows, int64_t channels, const float* factor, uint16_t* target) {
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < channels; c += LANES) {
            const int64_t count = std::min<int64_t>(LANES, channels - c);
            save(load(x + r * channels + c, count) * load(factor + c, count), count, target + r * channels + c);
        }
    }
}

}  // extern "C"
