"""The parts of the package that are compiled; all else about it stands in `pyproject.toml`."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "google_drive_worker.normalization.fast_page",
            ["src/google_drive_worker/normalization/fast_page.pyx"],
            depends=[
                "src/google_drive_worker/normalization/file_fields.pxi",
                "src/google_drive_worker/normalization/json_text.pxi",
            ],
            extra_compile_args=["-O3"],
            optional=True,  # without a C compiler it is left out, and every file goes the long way
        ),
        Extension(
            "google_drive_worker.messages.fast_envelope",
            ["src/google_drive_worker/messages/fast_envelope.pyx"],
            extra_compile_args=["-O3"],
            optional=True,  # as above
        ),
    ]
)
