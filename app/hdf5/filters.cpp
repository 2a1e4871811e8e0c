// SPDX-License-Identifier: Apache-2.0
#include "filters.hpp"

#include <cstddef>

#include "checked_open.hpp"

namespace fusedconv::app::hdf5 {

void forbid_plugins() { check(H5PLset_loading_state(0), "HDF5", "keep it from loading plugins"); }

void require_filters(const File& file, const Dataset& dataset, const Permissions& permissions) {
  const PropertyList properties = dataset.creation_properties();
  const int count = check(H5Pget_nfilters(properties.id()), dataset.name(), "count its filters");
  for (int number = 0; number < count; ++number) {
    unsigned flags = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter = check(H5Pget_filter2(properties.id(), static_cast<unsigned>(number),
                                                     &flags, &values, nullptr, 0, nullptr, nullptr),
                                      dataset.name(), "ask for a filter");
    if (H5Zfilter_avail(filter) > 0) continue;
    throw InvalidFile(file.name(), dataset.name(),
                      permissions.filter_plugins
                          ? "filters that HDF5 has or finds as plugins (HDF5_PLUGIN_PATH)"
                          : "filters that HDF5 has of its own, or --allow filter-plugins",
                      "filter " + std::to_string(filter));
  }
}

}  // namespace fusedconv::app::hdf5
