#include <coterie/devices.hpp>
#include <coterie/kmeans.hpp>
#include <cstdlib>
#include <iostream>
#include <vector>

int main() {
  const std::vector<float> x{0, 0, 0, 1, 9, 9, 9, 8};  // two pairs of points in the plane
  const auto fit = coterie::kmeans<float>({x.data(), 4, 2, 2}, {.clusters = 2, .seed = 1});
  const bool right = fit.labels[0] == fit.labels[1] && fit.labels[2] == fit.labels[3] &&
                     fit.labels[0] != fit.labels[2] && fit.inertia == 1.0;
  std::cout << "coterie " << coterie::version() << ": two pairs of points "
            << (right ? "told apart" : "NOT told apart") << ", inertia " << fit.inertia << '\n';
  return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
