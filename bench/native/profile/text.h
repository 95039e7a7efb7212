// Text for people: numbers with three digits, tables with aligned columns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gmr::profile {

std::string number_text(double value);  // 3 digits: 0.0123, 4.56, 789, 1.2e-08
std::string percent_text(double fraction);
std::string shell_word(const std::string& word);  // quoted where a shell would read it otherwise

std::string joined(const std::vector<std::string>& parts, const std::string& separator);
std::string joined(const std::vector<int64_t>& numbers, const std::string& separator);

class Table {
 public:
  Table(std::vector<std::string> heading, std::string alignment);  // a letter a column: l or r

  void add(std::vector<std::string> row);
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::string alignment_;
};

}  // namespace gmr::profile
