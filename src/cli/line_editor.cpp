#include "cli/line_editor.h"

#include <array>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <cwchar>

#include <histedit.h>
#include <langinfo.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "core/fail.h"

namespace sluice::cli {

namespace {

// Set by the handlers of SIGWINCH and SIGCONT, looked at when they interrupt the read of a key.
volatile std::sig_atomic_t resized = 0, continued = 0;

extern "C" void on_resize(int) {
    resized = 1;
}
extern "C" void on_continue(int) {
    continued = 1;
}

/// libedit needs a UTF-8 locale to take keys apart into characters.
void use_utf8_locale() {
    std::setlocale(LC_CTYPE, "");
    if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace

struct LineEditor::Impl {
    Impl();
    ~Impl();
    static char* show_prompt(EditLine* el);
    static int read_key(EditLine* el, wchar_t* key);
    int read_key(wchar_t* key);
    void obey_signals();

    EditLine* editor = nullptr;
    ::History* recent = nullptr;  // libedit's
    sluice::cli::History kept;
    std::string prompt;
    std::optional<std::string> typed;  // when a signal ended the line
    struct sigaction resize_before {
    }, continue_before{};
};

LineEditor::Impl::Impl() {
    use_utf8_locale();
    FILE* out = is_terminal(Stream::output) ? stdout : stderr;
    editor = el_init("sluice", stdin, out, stderr);
    recent = history_init();
    if (!editor || !recent) fail(ErrorCode::internal, "the line editor could not be started");
    HistEvent event;
    history(recent, &event, H_SETSIZE, 1000);
    history(recent, &event, H_SETUNIQUE, 1);
    for (const auto& entry : kept.load()) history(recent, &event, H_ENTER, entry.c_str());
    el_set(editor, EL_CLIENTDATA, this);
    el_set(editor, EL_HIST, history, recent);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_SIGNAL, 0);
    el_set(editor, EL_PROMPT_ESC, &Impl::show_prompt, '\1');
    el_set(editor, EL_GETCFN, static_cast<int (*)(EditLine*, wchar_t*)>(&Impl::read_key));
    el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_set(editor, EL_BIND, "^W", "ed-delete-prev-word", nullptr);
    // Ctrl- and Alt-arrows, by words
    for (const char* keys : {"\\e[1;5C", "\\e[1;3C"}) el_set(editor, EL_BIND, keys, "em-next-word", nullptr);
    for (const char* keys : {"\\e[1;5D", "\\e[1;3D"}) el_set(editor, EL_BIND, keys, "ed-prev-word", nullptr);
    struct sigaction action {};
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_resize;
    sigaction(SIGWINCH, &action, &resize_before);
    action.sa_handler = on_continue;
    sigaction(SIGCONT, &action, &continue_before);
}

LineEditor::Impl::~Impl() {
    sigaction(SIGWINCH, &resize_before, nullptr);
    sigaction(SIGCONT, &continue_before, nullptr);
    history_end(recent);
    el_end(editor);
}

char* LineEditor::Impl::show_prompt(EditLine* el) {
    Impl* self = nullptr;
    el_get(el, EL_CLIENTDATA, &self);
    return self->prompt.data();
}

int LineEditor::Impl::read_key(EditLine* el, wchar_t* key) {
    Impl* self = nullptr;
    el_get(el, EL_CLIENTDATA, &self);
    return self->read_key(key);
}

void LineEditor::Impl::obey_signals() {
    if (continued) el_set(editor, EL_PREP_TERM, 1);
    if (resized) el_resize(editor);
    if (continued || resized) el_set(editor, EL_REFRESH);
    continued = 0;
    resized = 0;
}

/// 1: a character, 0: the end, -1: an error or a request to stop.
int LineEditor::Impl::read_key(wchar_t* key) {
    std::mbstate_t state{};
    for (;;) {
        if (interrupted()) {
            const LineInfo* line = el_line(editor);  // gone once el_gets() has returned
            typed.emplace(line->buffer, line->lastchar);
            return -1;
        }
        char byte;
        const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
        if (n < 0 && errno == EINTR) {
            obey_signals();
            continue;
        }
        if (n <= 0) return int(n);
        switch (std::mbrtowc(key, &byte, 1, &state)) {
            case size_t(-2):  // a character in progress
                continue;
            case size_t(-1):  // not UTF-8
                state = {};
                *key = L'\uFFFD';
                return 1;
            default:
                return 1;
        }
    }
}

LineEditor::LineEditor() : impl_(std::make_unique<Impl>()) {}
LineEditor::~LineEditor() = default;

LineEditor::Line LineEditor::read(const std::string& prompt) {
    Impl& e = *impl_;
    const bool styled = can_style(is_terminal(Stream::output) ? Stream::output : Stream::error);
    // libedit binds a sequence between \1 to the character after it, so the space must come last.
    e.prompt = styled ? "\1\033[1m\1" + prompt + "\1\033[0m\1 " : prompt + " ";
    e.typed.reset();
    // Before the prompt, not after it: a Ctrl-D typed at once would else go to the terminal's own line
    // discipline.
    el_set(e.editor, EL_PREP_TERM, 1);
    int length = 0;
    const char* line = el_gets(e.editor, &length);
    if (e.typed) {
        el_reset(e.editor);
        return {Ended::interrupted, std::move(*e.typed)};
    }
    if (!line || length <= 0) return {Ended::end_of_input, ""};
    std::string text(line, size_t(length));
    if (text.ends_with('\n')) text.pop_back();
    return {Ended::line, std::move(text)};
}

void LineEditor::remember(const std::string& turn) {
    HistEvent event;
    history(impl_->recent, &event, H_ENTER, turn.c_str());
    impl_->kept.add(turn);
}

}  // namespace sluice::cli
