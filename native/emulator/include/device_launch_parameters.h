// SPDX-License-Identifier: Apache-2.0
//
// Stands in for the header of the CUDA toolkit: emulated_device_language.h has it all.
#pragma once
#include "emulated_device_language.h"
