// Counts the trips of the II=1 loops in C simulation, so that their number can be compared with the RTL's cycles.
//
// A core calls SPIKEFOLD_TRIP() once in the body of its pipelined loop. Only the C simulation defines SPIKEFOLD_CSIM;
// for synthesis the macro is empty.
#ifndef SPIKEFOLD_TRIP_COUNT_HPP
#define SPIKEFOLD_TRIP_COUNT_HPP

#ifdef SPIKEFOLD_CSIM
namespace spikefold {
/// Trips since the counter was last set to zero. One counter per process: the simulation runs images in processes.
inline unsigned long long& trip_counter() {
    static unsigned long long trips = 0;
    return trips;
}
}  // namespace spikefold
#define SPIKEFOLD_TRIP() (++spikefold::trip_counter())
#else
#define SPIKEFOLD_TRIP()
#endif

#endif
