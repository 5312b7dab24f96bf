// Zero padding of a feature map in NHWC raster order (FINN op FMPadding_rtl).
//
// One word out per trip; border words are zero, the others come from the input in order.
//
// Template parameters
//   HEIGHT, WIDTH           rows and columns of the input map
//   FOLDS                   words per pixel (channels / SIMD)
//   TOP, LEFT, BOTTOM, RIGHT rows and columns of zeros on each side
//   WORD_BITS               width of a stream word (SIMD * element bits)
// Trips per frame: (TOP + HEIGHT + BOTTOM) * (LEFT + WIDTH + RIGHT) * FOLDS
#ifndef SPIKEFOLD_PADDING_HPP
#define SPIKEFOLD_PADDING_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "trip_count.hpp"

template <unsigned HEIGHT, unsigned WIDTH, unsigned FOLDS, unsigned TOP, unsigned LEFT, unsigned BOTTOM,
          unsigned RIGHT, unsigned WORD_BITS>
void padding(hls::stream<ap_uint<WORD_BITS> >& in, hls::stream<ap_uint<WORD_BITS> >& out) {
    const unsigned ROWS = TOP + HEIGHT + BOTTOM;
    const unsigned COLUMNS = LEFT + WIDTH + RIGHT;
    unsigned row = 0;
    unsigned column = 0;
    unsigned fold = 0;
    for (unsigned trip = 0; trip < ROWS * COLUMNS * FOLDS; ++trip) {
#pragma HLS PIPELINE II=1
        SPIKEFOLD_TRIP();
        // Unsigned wrap-around makes one comparison of two: positions left of the map become very large.
        const bool inside = row - TOP < HEIGHT && column - LEFT < WIDTH;
        ap_uint<WORD_BITS> word = 0;
        if (inside) word = in.read();
        out.write(word);
        if (++fold == FOLDS) {
            fold = 0;
            if (++column == COLUMNS) {
                column = 0;
                ++row;
            }
        }
    }
}

#endif
