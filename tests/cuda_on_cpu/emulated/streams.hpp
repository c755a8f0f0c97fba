#pragma once

#include <cstddef>

// Streams. A copy from page-locked memory is the one thing that is put off: until its stream, or an
// event that was recorded after it, is waited for, by the host or by another stream, or until
// anything else happens on its stream. COTERIE_EMULATED_ORDER=reverse: it is made at once.

struct cuda_on_cpu_stream;
struct cuda_on_cpu_event;

namespace cuda_on_cpu {

bool stream_exists(cuda_on_cpu_stream* stream);
bool is_pinned(const void* memory);
void put_off_copy(cuda_on_cpu_stream* stream, void* to, const void* from, std::size_t bytes);

/// Makes the copies that were put off: of a stream, of all.
void catch_up(cuda_on_cpu_stream* stream);
void catch_up_all();

}  // namespace cuda_on_cpu
