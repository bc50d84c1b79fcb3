// The NPY writer under the client library's name.
#pragma once

#include "common/tables/npy_writer.h"

namespace inferon::client {
using inferon::NpyWriter;
}  // namespace inferon::client
