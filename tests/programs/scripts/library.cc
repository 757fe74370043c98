// SPDX-License-Identifier: MIT
//
// C++ that is expensive to compile (containers, variants, regular expressions, instantiations) and
// that allocates when it runs.
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

using Value = std::variant<int, std::string, std::vector<double>>;
using Table = std::map<std::string, std::vector<Value>>;

template <int N> struct Fib {
    static constexpr long value = Fib<N - 1>::value + Fib<N - 2>::value;
};
template <> struct Fib<0> { static constexpr long value = 0; };
template <> struct Fib<1> { static constexpr long value = 1; };

struct Shape {
    virtual ~Shape() = default;
    virtual double area() const = 0;
};
template <int N> struct Polygon : Shape {
    double side = N;
    double area() const override { return side * side * N / 4; }
};

template <typename... F> struct Overload : F... { using F::operator()...; };
template <typename... F> Overload(F...) -> Overload<F...>;

template <int... N> static double areas(std::integer_sequence<int, N...>) {
    std::vector<std::unique_ptr<Shape>> shapes;
    (shapes.push_back(std::make_unique<Polygon<N + 3>>()), ...);
    double sum = 0;
    for (auto &shape : shapes) sum += shape->area();
    return sum;
}

static Table make_table() {
    Table table;
    for (int i = 0; i < 3000; i++) {
        auto &row = table["k" + std::to_string(i * 7919 % 501)];
        if (i % 3 == 0) row.emplace_back(i);
        else if (i % 3 == 1) row.emplace_back(std::string(i % 90, 'x'));
        else row.emplace_back(std::vector<double>(i % 50, i / 3.0));
    }
    return table;
}

static double total(const Table &table) {
    auto size = Overload{
        [](int n) { return double(n); }, [](const std::string &s) { return double(s.size()); },
        [](const std::vector<double> &v) { return std::accumulate(v.begin(), v.end(), 0.0); }};
    double sum = 0;
    for (auto &[key, row] : table)
        for (auto &value : row) sum += std::visit(size, value);
    return sum;
}

static long call_all(const Table &table) {
    std::regex word("([a-z]+)([0-9]+)");
    std::unordered_map<std::string, std::function<int(int)>> calls;
    for (auto &[key, row] : table)
        calls[std::regex_replace(key, word, "$2$1")] = [n = row.size()](int x) {
            return int(n) + x;
        };
    long sum = 0;
    for (auto &[key, call] : calls) sum += call(int(key.size()));
    return sum;
}

int main() {
    Table table = make_table();
    bool thrown = false;
    try {
        table.at("none");
    } catch (const std::out_of_range &) {
        thrown = true;
    }
    std::cout << total(table) << ' ' << call_all(table) << ' ' << Fib<80>::value << ' '
              << areas(std::make_integer_sequence<int, 60>()) << ' ' << thrown << '\n';
}
