// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fusedconv/error.hpp>
#include <fusedconv/options.hpp>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "backend.hpp"
#include "command_line.hpp"
#include "exit_code.hpp"

namespace fusedconv::test {
namespace {

app::CommandLine parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "fusedconv_app");
  return std::get<app::CommandLine>(
      app::parse_command_line(static_cast<int>(arguments.size()), arguments.data()));
}

TEST(CommandLine, HasDefaults) {
  const app::CommandLine line = parse({"x.h5"});
  EXPECT_EQ(line.inputs, (std::vector<std::string>{"x.h5"}));
  EXPECT_EQ(line.output, "");
  EXPECT_EQ(line.output_directory, "");
  EXPECT_EQ(line.parameters, "");
  EXPECT_EQ(line.backend, app::backend_names().front());
  EXPECT_EQ(line.algorithm, "auto");
  EXPECT_EQ(line.precision, "fp32");
  EXPECT_EQ(line.reference, "");
  EXPECT_EQ(line.tolerance, 1e-5);
  EXPECT_EQ(line.report, "");
  EXPECT_EQ(line.chunk, 0);
  EXPECT_EQ(line.repeat, 1);
  EXPECT_EQ(line.storage.type, app::hdf5::ElementType::float32);
  EXPECT_EQ(line.storage.alignment, 1);
  EXPECT_EQ(app::hdf5::to_string(line.compression), "none");
  EXPECT_TRUE(line.hints.empty());
  EXPECT_EQ(line.transfer, app::Transfer::automatic);
  EXPECT_FALSE(line.resume);
  EXPECT_FALSE(line.dry_run);
  EXPECT_FALSE(line.quiet);
}

TEST(CommandLine, TakesWhatConcernsOutputs) {
  const app::CommandLine line =
      parse({"a.h5", "--output-dir", "out", "--output-type", "bfloat16", "--compress", "gzip", "6",
             "--hdf5-alignment", "16M", "--hdf5-hint", "striping_factor=8", "--hdf5-hint",
             "romio_cb_write=a=b", "--hdf5-transfer", "mapped", "--resume", "b.h5"});
  EXPECT_EQ(line.inputs, (std::vector<std::string>{"a.h5", "b.h5"}));
  EXPECT_EQ(line.output_directory, "out");
  EXPECT_EQ(line.storage.type, app::hdf5::ElementType::bfloat16);
  EXPECT_EQ(line.storage.alignment, 16 << 20);
  EXPECT_EQ(app::hdf5::to_string(line.compression), "gzip 6");
  EXPECT_EQ(line.hints, (app::hdf5::Hints{{"striping_factor", "8"}, {"romio_cb_write", "a=b"}}));
  EXPECT_EQ(line.transfer, app::Transfer::mapped);
  EXPECT_TRUE(line.resume);
}

TEST(CommandLine, TakesAnActivation) {
  EXPECT_EQ(parse({"x.h5"}).activation, std::nullopt);
  EXPECT_EQ(parse({"x.h5", "--activation", "gelu_tanh"}).activation, Activation::gelu_tanh);
  const std::vector<const char*> arguments{"fusedconv_app", "x.h5", "--activation", "mish"};
  const auto exit = std::get<app::EarlyExit>(
      app::parse_command_line(static_cast<int>(arguments.size()), arguments.data()));
  EXPECT_EQ(exit.code, app::bad_input_or_usage);
  EXPECT_EQ(
      exit.text,
      "fusedconv_app: activation: expected one of sigmoid, relu, silu, gelu, gelu_tanh, tanh, "
      "identity, found 'mish'\n");
}

TEST(CommandLine, RefusesCompressionThereIsNot) {
  for (const std::vector<const char*>& words : {std::vector<const char*>{"gzip", "10"},
                                                {"gzip", "-1"},
                                                {"gzip", "much"},
                                                {"zstd", "0"},
                                                {"zstd", "23"},
                                                {"lzma", "1"},
                                                {"gzip"}}) {
    std::vector<const char*> arguments{"fusedconv_app", "x.h5", "--compress"};
    arguments.insert(arguments.end(), words.begin(), words.end());
    const auto parsed =
        app::parse_command_line(static_cast<int>(arguments.size()), arguments.data());
    const auto* const exit = std::get_if<app::EarlyExit>(&parsed);
    ASSERT_NE(exit, nullptr) << words[0];
    EXPECT_EQ(exit->code, app::bad_input_or_usage);
    EXPECT_NE(exit->text.find("ompress"), std::string::npos) << exit->text;
  }
}

TEST(CommandLine, RefusesHintsWithoutKeyOrValue) {
  for (const char* hint : {"key", "key=", "=value"}) {
    const std::vector<const char*> arguments{"fusedconv_app", "x.h5", "--hdf5-hint", hint};
    const auto exit = std::get<app::EarlyExit>(
        app::parse_command_line(static_cast<int>(arguments.size()), arguments.data()));
    EXPECT_EQ(exit.code, app::bad_input_or_usage);
    EXPECT_NE(exit.text.find("KEY=VALUE"), std::string::npos) << exit.text;
  }
}

TEST(CommandLine, TakesEveryOption) {
  const app::CommandLine line =
      parse({"--quiet", "-o",          "y.h5",   "--parameters", "p.h5",       "--algorithm",
             "direct",  "--precision", "tf32",   "--verify",     "r.h5",       "--tolerance",
             "1e-3",    "--report",    "j.json", "--chunk",      "5000000000", "--repeat",
             "9",       "x.h5"});
  EXPECT_EQ(line.inputs, (std::vector<std::string>{"x.h5"}));
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

TEST(CommandLine, HelpIsGroupedAndEndsWithTheExitCodes) {
  const std::vector<const char*> arguments{"fusedconv_app", "--help"};
  const auto exit = std::get<app::EarlyExit>(
      app::parse_command_line(static_cast<int>(arguments.size()), arguments.data()));
  for (const char* group :
       {"Files", "Storage", "Computing", "Memory", "Checking", "Running", "Information"}) {
    EXPECT_NE(exit.text.find(std::string("\n") + group + ":\n"), std::string::npos) << group;
  }
  EXPECT_EQ(exit.text.find("\nOptions:\n"), std::string::npos) << exit.text;
  // The first words of the last lines are the codes.
  const std::size_t codes = exit.text.find("\nExit codes:\n");
  ASSERT_NE(codes, std::string::npos) << exit.text;
  std::istringstream lines(exit.text.substr(codes + 1));
  std::string line;
  std::getline(lines, line);
  for (const app::ExitCode code : {app::done, app::failed_while_running, app::bad_input_or_usage,
                                   app::verification_failed, app::interrupted}) {
    ASSERT_TRUE(std::getline(lines, line));
    EXPECT_TRUE(line.starts_with("  " + std::to_string(code) + "  ")) << line;
  }
  while (std::getline(lines, line)) EXPECT_EQ(line, "");
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
