// A board with a serial port: the Verilated module spikefold_uart, whose two lines end in a pseudo-terminal.
//
// Bytes that a program writes to the terminal enter rx bit by bit, at the baud rate that it has set on the terminal and
// the clock given; what tx says is read as a UART does, in the middle of each bit, and written to the terminal. Fractions
// of cycles are carried on, so that the rate is right in the long run. The clock runs as fast as it can be simulated
// while bytes are under way and for some time after that; then it stands still until the next byte.
//
// Arguments: TERMINAL CLOCK_HZ IDLE_CYCLES       TERMINAL: number of the open file that is the pseudo-terminal's master
// Standard input holds commands, a line each; each is answered by a line on standard output, "ok" or what stands behind
// the arrow:
//   flip-rx N      the N-th data bit from now that enters rx is inverted (1: the next)
//   flip-tx N      the same of those that leave tx
//   drop-rx N      the N-th byte from now never enters rx
//   reset          the board's reset
//   cycles         -> cycles since the start
// The program ends with its standard input.
#include <asm/termbits.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>

#include "Vboard.h"
#include "verilated.h"

namespace {

constexpr int kResetCycles = 16;
constexpr int kDataBits = 8;
constexpr int kChunk = 512;  // cycles between two looks at the terminal
constexpr double kLeastBaud = 300;
constexpr std::uint64_t kNever = ~0ULL;

/// Counts down to an event; says yes once.
class Countdown {
  public:
    void set(std::uint64_t count) { left_ = count; }
    bool step() { return left_ != 0 && --left_ == 0; }

  private:
    std::uint64_t left_ = 0;
};

class Board {
  public:
    Board(int argc, char** argv, int terminal, double clock_hz) : terminal_(terminal), clock_hz_(clock_hz) {
        context_.commandArgs(argc, argv);
        model_ = std::make_unique<Vboard>(&context_, "");
        model_->rx = 1;
        reset();
    }
    ~Board() { model_->final(); }

    void reset() {
        model_->rst_n = 0;
        for (int cycle = 0; cycle < kResetCycles; ++cycle) tick();
        model_->rst_n = 1;
        sending_ = receiving_ = false;
        model_->rx = 1;
    }

    std::uint64_t cycle() const { return cycle_; }
    std::uint64_t last_activity() const { return last_activity_; }
    Countdown flip_rx, flip_tx, drop_rx;

    void take_from_terminal() {
        std::uint8_t bytes[256];
        if (to_send_.size() >= sizeof(bytes)) return;
        const ssize_t count = ::read(terminal_, bytes, sizeof(bytes));
        if (count > 0) to_send_.insert(to_send_.end(), bytes, bytes + count);
        struct termios2 settings;
        if (::ioctl(terminal_, TCGETS2, &settings) == 0 && settings.c_ospeed >= kLeastBaud) {
            bit_cycles_ = clock_hz_ / settings.c_ospeed;
        }
    }

    void run(int cycles) {
        for (; cycles != 0; --cycles) {
            drive_rx();
            tick();
            sample_tx();
        }
    }

  private:
    void tick() {
        model_->clk = 0;
        model_->eval();
        context_.timeInc(1);
        model_->clk = 1;
        model_->eval();
        context_.timeInc(1);
        ++cycle_;
    }

    void drive_rx() {
        if (!sending_) {
            if (to_send_.empty()) return;
            const std::uint8_t byte = to_send_.front();
            to_send_.pop_front();
            last_activity_ = cycle_;
            if (drop_rx.step()) return;
            frame_ = (1U << (kDataBits + 1)) | (static_cast<unsigned>(byte) << 1);  // start bit 0, data, stop bit 1
            for (int bit = 1; bit <= kDataBits; ++bit) {
                if (flip_rx.step()) frame_ ^= 1U << bit;
            }
            sending_ = true;
            sent_bits_ = 0;
            // A byte that follows at once begins where the stop bit before ended, to a fraction of a cycle.
            next_send_ = cycle_ - next_send_ < 1.0 ? next_send_ : static_cast<double>(cycle_);
        }
        if (static_cast<double>(cycle_) < next_send_) return;
        if (sent_bits_ > kDataBits + 1) {
            sending_ = false;
            drive_rx();
            return;
        }
        model_->rx = (frame_ >> sent_bits_) & 1U;
        ++sent_bits_;
        next_send_ += bit_cycles_;
        last_activity_ = cycle_;
    }

    void sample_tx() {
        const bool line = model_->tx;
        if (!receiving_) {
            if (line) return;
            receiving_ = true;
            received_bits_ = 0;
            received_ = 0;
            next_sample_ = static_cast<double>(cycle_) + 1.5 * bit_cycles_;
            last_activity_ = cycle_;
            return;
        }
        if (static_cast<double>(cycle_) < next_sample_) return;
        next_sample_ += bit_cycles_;
        last_activity_ = cycle_;
        if (received_bits_ < kDataBits) {
            bool bit = line;
            if (flip_tx.step()) bit = !bit;
            received_ |= static_cast<unsigned>(bit) << received_bits_++;
            return;
        }
        receiving_ = false;
        if (!line) return;  // no stop bit: nothing that a UART would take
        const std::uint8_t byte = static_cast<std::uint8_t>(received_);
        while (::write(terminal_, &byte, 1) < 0 && (errno == EAGAIN || errno == EINTR)) {
            struct pollfd writable = {terminal_, POLLOUT, 0};
            ::poll(&writable, 1, 100);
        }
    }

    VerilatedContext context_;
    std::unique_ptr<Vboard> model_;
    int terminal_;
    double clock_hz_;
    double bit_cycles_ = 100;
    std::uint64_t cycle_ = 0, last_activity_ = 0;
    std::deque<std::uint8_t> to_send_;
    bool sending_ = false, receiving_ = false;
    unsigned frame_ = 0, received_ = 0;
    int sent_bits_ = 0, received_bits_ = 0;
    double next_send_ = 0, next_sample_ = 0;
};

/// Answers one command; says whether there was one to answer.
void answer(Board& board, const std::string& line) {
    const std::size_t space = line.find(' ');
    const std::string name = line.substr(0, space);
    const std::uint64_t count = space == std::string::npos ? 1 : std::strtoull(line.c_str() + space, nullptr, 10);
    if (name == "flip-rx") {
        board.flip_rx.set(count);
    } else if (name == "flip-tx") {
        board.flip_tx.set(count);
    } else if (name == "drop-rx") {
        board.drop_rx.set(count);
    } else if (name == "reset") {
        board.reset();
    } else if (name == "cycles") {
        std::printf("%llu\n", static_cast<unsigned long long>(board.cycle()));
        std::fflush(stdout);
        return;
    } else {
        std::printf("no such command\n");
        std::fflush(stdout);
        return;
    }
    std::printf("ok\n");
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "3 arguments or more expected, %d given\n", argc - 1);
        return 1;
    }
    const int terminal = static_cast<int>(std::strtol(argv[1], nullptr, 10));
    const double clock_hz = std::atof(argv[2]);
    const std::uint64_t idle_cycles = std::strtoull(argv[3], nullptr, 10);
    ::fcntl(terminal, F_SETFL, ::fcntl(terminal, F_GETFL) | O_NONBLOCK);
    Board board(argc, argv, terminal, clock_hz);
    std::string commands;
    while (true) {
        struct pollfd files[2] = {{STDIN_FILENO, POLLIN, 0}, {terminal, POLLIN, 0}};
        const bool idle = board.cycle() - board.last_activity() > idle_cycles;
        ::poll(files, 2, idle ? -1 : 0);
        if (files[0].revents & (POLLIN | POLLHUP)) {
            char text[256];
            const ssize_t count = ::read(STDIN_FILENO, text, sizeof(text));
            if (count <= 0) return 0;
            commands.append(text, static_cast<std::size_t>(count));
            for (std::size_t end; (end = commands.find('\n')) != std::string::npos; commands.erase(0, end + 1)) {
                answer(board, commands.substr(0, end));
            }
        }
        const bool open = !(files[1].revents & POLLHUP);
        if (files[1].revents & POLLIN) board.take_from_terminal();
        if (!open) ::usleep(1000);  // no program has the terminal open
        if (!idle || (files[1].revents & POLLIN)) board.run(kChunk);
    }
}
