# SPDX-License-Identifier: Apache-2.0
import os

from spack_repo.builtin.build_systems.cmake import CMakePackage
from spack_repo.builtin.build_systems.cuda import CudaPackage
from spack_repo.builtin.build_systems.rocm import ROCmPackage

from spack.package import *


class Fusedconv(CMakePackage, CudaPackage, ROCmPackage):
    """Convolution, bias, scale, activation and group normalisation in one fused pass, as a library
    over Kokkos Views and as a parallel application from HDF5 to HDF5."""

    license("Apache-2.0")

    # Built from a checkout, which spack.yaml develops: there is no release to download yet.
    version("0.1.0")

    variant("openmp", default=True, description="Compute on OpenMP, besides GPUs")
    variant("kernels", default=False, description="Use Kokkos Kernels, for the algorithm gemm")
    variant("app", default=True, description="Build the application (MPI, HDF5)")
    variant("tests", default=False, description="Build the tests")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")

    depends_on("kokkos@4.5:")
    depends_on("kokkos+openmp", when="+openmp")
    depends_on("kokkos+serial", when="~openmp")
    # Kokkos 4 would be built as C++17.
    requires(
        "^kokkos cxxstd=20",
        "^kokkos cxxstd=23",
        policy="one_of",
        msg="fusedconv and the Kokkos below it are C++20 or later",
    )

    conflicts("+cuda", when="+rocm", msg="Kokkos has one kind of GPU at a time")
    conflicts("+cuda", when="cuda_arch=none", msg="cuda_arch says which GPU, as cuda_arch=90")
    conflicts("+rocm", when="amdgpu_target=none", msg="amdgpu_target says which GPU")
    for arch in CudaPackage.cuda_arch_values:
        depends_on(f"kokkos+cuda cuda_arch={arch}", when=f"+cuda cuda_arch={arch}")
        depends_on(
            f"kokkos-kernels+cuda cuda_arch={arch}", when=f"+kernels+cuda cuda_arch={arch}"
        )
    for target in ROCmPackage.amdgpu_targets:
        depends_on(f"kokkos+rocm amdgpu_target={target}", when=f"+rocm amdgpu_target={target}")
    # How GCC's files reach nvcc: through Kokkos's wrapper, or as CMake's language CUDA.
    requires(
        "^kokkos+wrapper",
        "^kokkos+cmake_lang",
        policy="one_of",
        when="+cuda %gcc",
        msg="with GCC, Kokkos for CUDA needs +wrapper or +cmake_lang",
    )

    depends_on("kokkos-kernels", when="+kernels")

    with when("+app"):
        depends_on("mpi")
        depends_on("hdf5+mpi")
        depends_on("cli11")
        depends_on("nlohmann-json")
        depends_on("zlib-api")
    depends_on("googletest", when="+tests")

    test_requires_compiler = True

    def cmake_args(self):
        spec = self.spec
        kokkos = self["kokkos"]
        args = [
            self.define("Kokkos_ROOT", kokkos.prefix),
            self.define("FUSEDCONV_FETCH_KOKKOS", False),
            # Spack's compilers are told the target by Spack.
            self.define("FUSEDCONV_NATIVE", False),
            self.define_from_variant("FUSEDCONV_BUILD_APP", "app"),
            self.define_from_variant("FUSEDCONV_BUILD_TESTS", "tests"),
            self.define_from_variant("FUSEDCONV_KOKKOS_KERNELS", "kernels"),
        ]
        if spec.satisfies("+kernels"):
            args.append(self.define("KokkosKernels_ROOT", spec["kokkos-kernels"].prefix))
        if spec.satisfies("^kokkos+cmake_lang"):
            if spec.satisfies("+cuda"):
                # The compiler of Kokkos's own files.
                is_clang = spec.satisfies("%cxx=clang")
                compiler = self.compiler.cxx if is_clang else spec["cuda"].prefix.bin.nvcc
                args.append(self.define("CMAKE_CUDA_COMPILER", compiler))
            elif spec.satisfies("+rocm"):
                compiler = join_path(spec["llvm-amdgpu"].prefix.bin, "amdclang++")
                args.append(self.define("CMAKE_HIP_COMPILER", compiler))
        elif spec.satisfies("+cuda"):
            args.append(self.define("CMAKE_CXX_COMPILER", kokkos.kokkos_cxx))
        elif spec.satisfies("+rocm"):
            args.append(self.define("CMAKE_CXX_COMPILER", spec["hip"].hipcc))
        return args

    @run_after("install")
    def keep_smoke_tests(self):
        """Keeps what `spack test run` needs when the sources are gone."""
        cache_extra_test_sources(
            self, ["inputs/tiny.h5", "inputs/tiny_reference.h5", "tests/consumer"]
        )

    def test_application(self):
        """compute a small input, and compare with PyTorch's float64 output"""
        if self.spec.satisfies("~app"):
            raise SkipTest("the application was not built")
        application = which(self.prefix.bin.fusedconv_app, required=True)
        inputs = join_path(self.test_suite.current_test_cache_dir, "inputs")
        application(
            join_path(inputs, "tiny.h5"),
            "-o",
            "tiny_output.h5",
            "--verify",
            join_path(inputs, "tiny_reference.h5"),
        )

    def test_consumer(self):
        """build and run a program that calls the installed library"""
        if self.spec.satisfies("^kokkos+cmake_lang"):
            raise SkipTest("the program is C++ to CMake")
        compiler = os.environ["CXX"]
        if self.spec.satisfies("+cuda"):
            compiler = self["kokkos"].kokkos_cxx
        elif self.spec.satisfies("+rocm"):
            compiler = self.spec["hip"].hipcc
        cmake = which(self.spec["cmake"].prefix.bin.cmake, required=True)
        cmake(
            "-S",
            join_path(self.test_suite.current_test_cache_dir, "tests", "consumer"),
            "-B",
            "consumer",
            self.define("CMAKE_PREFIX_PATH", get_cmake_prefix_path(self)),
            self.define("CMAKE_CXX_COMPILER", compiler),
            self.define("fusedconv_ROOT", self.prefix),
            self.define("WAY", "installed"),
        )
        cmake("--build", "consumer")
        which(join_path("consumer", "consumer"), required=True)()
