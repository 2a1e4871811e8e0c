// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fusedconv/error.hpp>
#include <fusedconv/options.hpp>
#include <string>
#include <variant>
#include <vector>

#include "backend.hpp"
#include "command_line.hpp"

namespace fusedconv::test {
namespace {

app::CommandLine parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "fusedconv_app");
  return std::get<app::CommandLine>(
      app::parse_command_line(static_cast<int>(arguments.size()), arguments.data()));
}

TEST(CommandLine, HasDefaults) {
  const app::CommandLine line = parse({"x.h5"});
  EXPECT_EQ(line.input, "x.h5");
  EXPECT_EQ(line.output, "x_output.h5");
  EXPECT_EQ(line.parameters, "");
  EXPECT_EQ(line.backend, app::backend_names().front());
  EXPECT_EQ(line.algorithm, "auto");
  EXPECT_EQ(line.precision, "fp32");
  EXPECT_EQ(line.reference, "");
  EXPECT_EQ(line.tolerance, 1e-5);
  EXPECT_EQ(line.report, "");
  EXPECT_EQ(line.chunk, 0);
  EXPECT_EQ(line.repeat, 1);
  EXPECT_FALSE(line.dry_run);
  EXPECT_FALSE(line.quiet);
}

TEST(CommandLine, TakesEveryOption) {
  const app::CommandLine line =
      parse({"--quiet", "-o",          "y.h5",   "--parameters", "p.h5",       "--algorithm",
             "direct",  "--precision", "tf32",   "--verify",     "r.h5",       "--tolerance",
             "1e-3",    "--report",    "j.json", "--chunk",      "5000000000", "--repeat",
             "9",       "x.h5"});
  EXPECT_EQ(line.input, "x.h5");
  EXPECT_EQ(line.output, "y.h5");
  EXPECT_EQ(line.parameters, "p.h5");
  EXPECT_EQ(line.algorithm, "direct");
  EXPECT_EQ(line.precision, "tf32");
  EXPECT_EQ(line.reference, "r.h5");
  EXPECT_EQ(line.tolerance, 1e-3);
  EXPECT_EQ(line.report, "j.json");
  EXPECT_EQ(line.chunk, 5000000000);
  EXPECT_EQ(line.repeat, 9);
  EXPECT_TRUE(line.quiet);
  EXPECT_TRUE(parse({"x.h5", "--dry-run"}).dry_run);
}

TEST(CommandLine, TakesEveryBackendOfThisBinary) {
  for (const std::string& backend : app::backend_names()) {
    EXPECT_EQ(parse({"x.h5", "--backend", backend.c_str()}).backend, backend);
  }
}

TEST(CommandLine, TakesEveryAlgorithmOfThisBinary) {
  for (const Algorithm algorithm : {Algorithm::automatic, Algorithm::direct, Algorithm::winograd,
                                    Algorithm::tensor_core, Algorithm::gemm}) {
    if (!is_available(algorithm)) continue;
    const std::string name(to_string(algorithm));
    EXPECT_EQ(parse({"x.h5", "--algorithm", name.c_str()}).algorithm, name);
  }
}

TEST(CommandLine, RefusesAPrecisionThereIsNot) {
  const std::vector<const char*> arguments{"fusedconv_app", "x.h5", "--precision", "bf16"};
  const auto exit = std::get<app::EarlyExit>(
      app::parse_command_line(static_cast<int>(arguments.size()), arguments.data()));
  EXPECT_EQ(exit.code, app::bad_input_or_usage);
  for (const char* words : {"--precision", "bf16", "fp32", "tf32"}) {
    EXPECT_NE(exit.text.find(words), std::string::npos) << exit.text;
  }
}

TEST(CommandLine, HelpNamesEveryPrecisionAndAlgorithm) {
  const std::vector<const char*> arguments{"fusedconv_app", "--help"};
  const auto exit = std::get<app::EarlyExit>(
      app::parse_command_line(static_cast<int>(arguments.size()), arguments.data()));
  EXPECT_EQ(exit.code, app::done);
  for (const char* words : {"--precision", "fp32", "tf32", "winograd", "tensor_core"}) {
    EXPECT_NE(exit.text.find(words), std::string::npos) << exit.text;
  }
}

TEST(CommandLine, NamesTheOutputBesideTheInput) {
  EXPECT_EQ(app::default_output("x.h5"), "x_output.h5");
  EXPECT_EQ(app::default_output("/a/b.c/x.h5"), "/a/b.c/x_output.h5");
  EXPECT_EQ(app::default_output("x.hdf5"), "x.hdf5_output.h5");
}

TEST(Backend, IsTheFirstForAuto) {
  EXPECT_EQ(app::resolve_backend("auto"), app::backend_names().front());
}

TEST(Backend, ThatIsUnknownIsToldWithThoseThereAre) {
  try {
    app::resolve_backend("abacus");
    FAIL() << "took an unknown backend";
  } catch (const InvalidArgument& error) {
    EXPECT_EQ(error.object(), "backend");
    EXPECT_EQ(error.found(), "abacus");
    for (const std::string& name : app::backend_names()) {
      EXPECT_NE(error.expected().find(name), std::string::npos);
    }
  }
}

TEST(Backend, IsDispatchedToItsOwnSpace) {
  for (const std::string& name : app::backend_names()) {
    const std::string dispatched = app::dispatch_backend(
        name, [](auto tag) { return app::backend_name(decltype(tag)::type::name()); });
    EXPECT_EQ(dispatched, name);
  }
}

}  // namespace
}  // namespace fusedconv::test
