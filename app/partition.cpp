// SPDX-License-Identifier: Apache-2.0
#include "partition.hpp"

namespace fusedconv::app {

namespace {

std::vector<Piece> pieces_of_images(const std::vector<FileImages>& work, const Cut& cut,
                                    std::int64_t output_height, std::int64_t ranks,
                                    std::int64_t rank) {
  std::int64_t all = 0;
  for (const FileImages& part : work) all += part.images.count;
  const ImageRange share = images_of_rank(all, ranks, rank);

  std::vector<Piece> pieces;
  std::int64_t before = 0;  // images of the parts before this one
  for (const FileImages& part : work) {
    const std::int64_t begin = std::max(share.first, before);
    const std::int64_t end = std::min(share.first + share.count, before + part.images.count);
    for (std::int64_t image = begin; image < end; image += cut.images) {
      pieces.push_back({.file = part.file,
                        .first_image = part.images.first + image - before,
                        .images = std::min(cut.images, end - image),
                        .rows = output_height});
    }
    before += part.images.count;
  }
  return pieces;
}

void add_sweep(std::vector<Piece>& pieces, Piece piece, const RowRange& rows, const Cut& cut) {
  const std::int64_t end = rows.first + rows.count;
  const bool finds_statistics = piece.sweep != Sweep::output;
  std::int64_t row = rows.first;
  do {
    piece.first_row = row;
    piece.rows = std::min(cut.rows, end - row);
    piece.begins_statistics = finds_statistics && row == rows.first;
    row += piece.rows;
    piece.completes_statistics = finds_statistics && row == end;
    pieces.push_back(piece);
  } while (row < end);
}

std::vector<Piece> pieces_of_rows(const std::vector<FileImages>& work, const Cut& cut,
                                  std::int64_t output_height, std::int64_t ranks,
                                  std::int64_t rank) {
  const RowRange rows = rows_of_rank(output_height, cut.alignment, ranks, rank);
  std::vector<Piece> pieces;
  for (const FileImages& part : work) {
    for (std::int64_t image = 0; image < part.images.count; ++image) {
      Piece piece{
          .file = part.file, .first_image = part.images.first + image, .images = 1, .split = true};
      if (rows.count <= cut.rows) {
        add_sweep(pieces, piece, rows, cut);
        continue;
      }
      for (const Sweep sweep : {Sweep::statistics, Sweep::output}) {
        piece.sweep = sweep;
        add_sweep(pieces, piece, rows, cut);
      }
    }
  }
  return pieces;
}

}  // namespace

std::vector<Piece> pieces_of_rank(const std::vector<FileImages>& work, const Cut& cut,
                                  std::int64_t output_height, std::int64_t ranks,
                                  std::int64_t rank) {
  return cut.by_rows ? pieces_of_rows(work, cut, output_height, ranks, rank)
                     : pieces_of_images(work, cut, output_height, ranks, rank);
}

}  // namespace fusedconv::app
