// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdint>
#include <exception>
#include <fusedconv/error.hpp>
#include <fusedconv/shape.hpp>
#include <iostream>
#include <string>

#include "exit_code.hpp"
#include "generate.hpp"
#include "shape_options.hpp"
#include "version.hpp"

namespace {

using namespace fusedconv;

constexpr const char* name = "fusedconv_generate";

int generate(int argc, char** argv) {
  CLI::App parser("Writes a random input file for fusedconv_app, of any size in little memory.",
                  name);
  parser.footer("Exit codes: 0 done, 1 failed while running, 2 bad usage.");
  parser.set_version_flag("--version", std::string(name) + " " + app::version, "Print the version");
  const app::ShapeOptions shape_options(parser);
  std::uint64_t seed = 0;
  parser.add_option("--seed", seed, "The same seed gives the same values")->capture_default_str();
  std::string output;
  parser
      .add_option("-o,--output", output, "File to write; appears under this name only when whole")
      ->required()
      ->type_name("FILE");
  try {
    parser.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return parser.exit(error) == 0 ? app::done : app::bad_input_or_usage;
  }
  const Shape shape = shape_options.shape();
  app::generate_input_file(output, shape, seed);
  std::cout << output << ": " << to_string(shape) << '\n';
  return app::done;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return generate(argc, argv);
  } catch (const InvalidArgument& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return app::bad_input_or_usage;
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return app::failed_while_running;
  }
}
