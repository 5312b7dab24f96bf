// The loop of every pooling over windows that do not overlap: which window a word of the map belongs to.
#ifndef SPIKEFOLD_POOL_WINDOWS_HPP
#define SPIKEFOLD_POOL_WINDOWS_HPP

#include <ap_int.h>
#include <hls_stream.h>

#include "trip_count.hpp"

namespace spikefold {

// P is a struct of constants:
//   HEIGHT, WIDTH, CHANNELS   input map, raster order, low channels first
//   KERNEL                    side and stride of the window
//   PE                        channels per stream word; divides CHANNELS
// Words of one row of windows, the channel folds of a window side by side.
template <typename P>
struct window_row {
    static constexpr int FOLDS = P::CHANNELS / P::PE;
    static constexpr int WIDTH = P::WIDTH / P::KERNEL;
    static constexpr int WORDS = WIDTH * FOLDS;
};

// `windows` keeps window_row<P>::WORDS words: add(index, word, first) joins an input word to that at `index`, which
// begins anew where `first` says so; result(index) is the output word.
// One call reads HEIGHT*WIDTH*CHANNELS/PE words and writes (HEIGHT/KERNEL)*(WIDTH/KERNEL)*CHANNELS/PE words; rows and
// columns past the last full window are dropped.
template <typename P, typename Windows, int IN_BITS, int OUT_BITS>
void pool_windows(hls::stream<ap_uint<IN_BITS>>& in, hls::stream<ap_uint<OUT_BITS>>& out, Windows& windows) {
#pragma HLS INLINE
    constexpr int FOLDS = window_row<P>::FOLDS;
    constexpr int OUT_WIDTH = window_row<P>::WIDTH;
    constexpr int OUT_HEIGHT = P::HEIGHT / P::KERNEL;

    int cf = 0;
    int x = 0;
    int y = 0;
    int inner_x = 0;
    int inner_y = 0;
    int window_x = 0;

    for (int fold = 0; fold < P::HEIGHT * P::WIDTH * FOLDS; ++fold) {
#pragma HLS PIPELINE II = 1
        SPIKEFOLD_TRIP();
        const ap_uint<IN_BITS> word = in.read();
        if (x < OUT_WIDTH * P::KERNEL && y < OUT_HEIGHT * P::KERNEL) {
            const int index = window_x * FOLDS + cf;
            windows.add(index, word, inner_x == 0 && inner_y == 0);
            if (inner_x == P::KERNEL - 1 && inner_y == P::KERNEL - 1) {
                out.write(windows.result(index));
            }
        }

        if (cf < FOLDS - 1) {
            ++cf;
        } else {
            cf = 0;
            if (x < P::WIDTH - 1) {
                ++x;
                if (inner_x < P::KERNEL - 1) {
                    ++inner_x;
                } else {
                    inner_x = 0;
                    ++window_x;
                }
            } else {
                x = 0;
                inner_x = 0;
                window_x = 0;
                if (y < P::HEIGHT - 1) {
                    ++y;
                    inner_y = inner_y < P::KERNEL - 1 ? inner_y + 1 : 0;
                } else {
                    y = 0;
                    inner_y = 0;
                }
            }
        }
    }
}

}  // namespace spikefold

#endif
