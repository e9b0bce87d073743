package org.aeraki.peer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.aeraki.samples.HelloException;
import org.aeraki.samples.HelloService;
import org.aeraki.samples.Listener;
import org.aeraki.samples.Point;
import org.aeraki.samples.Record;
import org.apache.dubbo.rpc.RpcContext;
import org.apache.dubbo.rpc.service.EchoService;
import org.apache.dubbo.rpc.service.GenericException;
import org.apache.dubbo.rpc.service.GenericService;

/** Sends one request with a token in it and compares the reply. */
final class Calls {
    static final String[] METHODS = {
        "sayHello", "greet", "echo", "slow", "later", "fail", "crash", "nothing", "pojo", "blob", "notify",
        "notified", "listen", "odd", "missing", "$echo", "null"
    };

    /** A reply that is right. */
    static final class Reply {
        final String text;
        final String version;

        Reply(String text, String version) {
            this.text = text;
            this.version = version;
        }
    }

    /** A well-formed reply that does not answer the request. */
    static final class WrongReply extends Exception {
        private static final long serialVersionUID = 1L;

        WrongReply(Object want, Object got) {
            super("want " + cut(want) + ", got " + cut(got));
        }

        private static String cut(Object o) {
            String s = String.valueOf(o);
            return s.substring(0, Math.min(80, s.length()));
        }
    }

    private static final String STRING = "java.lang.String";

    private final Flags flags;
    private final HelloService hello;
    private final GenericService generic;
    private final Map<String, String> attachments = new HashMap<>();
    private final String[] methods;
    private final int number;
    private final int payload;

    /** One of hello and generic is null. */
    Calls(Flags flags, HelloService hello, GenericService generic) {
        this.flags = flags;
        this.hello = hello;
        this.generic = generic;
        this.methods = flags.text("method").split(",");
        this.number = (int) flags.number("number");
        this.payload = (int) flags.number("payload");
        for (String kv : flags.all("attachment")) {
            String[] parts = kv.split("=", 2);
            attachments.put(parts[0], parts.length > 1 ? parts[1] : "");
        }
    }

    /** Sends the i-th request of a worker. */
    Reply call(int i, String token) throws Throwable {
        attachments.forEach((k, v) -> RpcContext.getContext().setAttachment(k, v));
        String text = token + ".".repeat(Math.max(0, payload - token.length()));
        Reply r = call(methods[i % methods.length], text);
        if (flags.bool("async") || flags.bool("oneway")) {
            return r;
        }
        Map<String, String> back = RpcContext.getServerContext().getAttachments();
        StringBuilder shown = new StringBuilder(r.text);
        back.forEach((k, v) -> {
            if (k.startsWith(Dubbo.ECHOED_AS)) {
                shown.append(' ').append(k).append('=').append(v);
            }
        });
        String by = back.get(Dubbo.SERVED_BY);
        return new Reply(shown.toString(), by == null ? r.version : by);
    }

    private Reply call(String method, String text) throws Throwable {
        switch (method) {
            case "sayHello":
                return greeting(invoke(method, types(STRING), text, () -> hello.sayHello(text)), text);
            case "null":
                return greeting(invoke("sayHello", types(STRING), null, () -> hello.sayHello(null)), "null");
            case "greet":
                return greeting(invoke(method, types(STRING, "int"), new Object[] {text, number},
                        () -> hello.greet(text, number)), text);
            case "later":
                return greeting(future(invoke(method, types(STRING), text, () -> hello.later(text))), text);
            case "slow":
                return greeting(invoke(method, types("int"), number, () -> hello.slow(number)), "" + number);
            case "listen":
                return listen(text);
            case "echo":
                return same(invoke(method, types(STRING), text, () -> hello.echo(text)), text);
            case "$echo":
                return same(((EchoService) hello).$echo(text), text);
            case "blob":
                return blob(text);
            case "pojo":
                return pojo(text);
            case "nothing":
                return same(invoke(method, types(), new Object[0], () -> {
                    hello.nothing();
                    return null;
                }), null);
            case "notify":
                return same(invoke(method, types(STRING), text, () -> {
                    hello.notify(text);
                    return null;
                }), null);
            case "notified":
                return new Reply(String.valueOf(invoke(method, types(), new Object[0], () -> hello.notified())), "");
            case "fail":
                return thrown(HelloException.class, text,
                        () -> invoke(method, types(STRING), text, () -> hello.fail(text)));
            case "crash":
                return thrown(RuntimeException.class, text,
                        () -> invoke(method, types(STRING), text, () -> hello.crash(text)));
            case "odd":
                return new Reply(String.valueOf(invoke(method, types(STRING), text, () -> hello.odd(text))), "");
            default:
                // The interface does not have it; whatever comes counts as an error.
                return new Reply(String.valueOf(invoke(method, types(STRING), text, () -> {
                    throw new IllegalArgumentException("-method " + method + " needs -generic");
                })), "");
        }
    }

    private static String[] types(String... names) {
        return names;
    }

    /** Calls by the way that the flags choose; args is one argument or an array of all. */
    private Object invoke(String method, String[] types, Object args, Callable<Object> typed) throws Exception {
        if (generic != null) {
            Object[] all = args instanceof Object[] ? (Object[]) args : new Object[] {args};
            return flags.bool("async")
                    ? await(generic.$invokeAsync(method, types, all))
                    : generic.$invoke(method, types, all);
        }
        if (flags.bool("async")) {
            return await(RpcContext.getContext().asyncCall(typed));
        }
        return typed.call();
    }

    private static Object await(CompletableFuture<?> f) throws Exception {
        try {
            return f.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception ? (Exception) e.getCause() : e;
        }
    }

    private static Object future(Object o) throws Exception {
        return o instanceof CompletableFuture ? await((CompletableFuture<?>) o) : o;
    }

    private Reply greeting(Object got, String whom) throws WrongReply {
        String start = "Hello " + whom + " from ";
        if (flags.bool("oneway")) {
            return new Reply("sent", "");
        }
        if (!(got instanceof String) || !((String) got).startsWith(start) || got.equals(start)) {
            throw new WrongReply(start, got);
        }
        return new Reply((String) got, ((String) got).substring(start.length()));
    }

    private Reply same(Object got, Object want) throws WrongReply {
        if (!flags.bool("oneway") && (want == null ? got != null : !want.equals(got))) {
            throw new WrongReply(want, got);
        }
        return new Reply(String.valueOf(got), "");
    }

    private Reply blob(String text) throws Exception {
        byte[] tail = text.getBytes(StandardCharsets.UTF_8);
        byte[] want = new byte[tail.length + 3];
        // No valid UTF-8.
        want[0] = (byte) 0xff;
        want[2] = (byte) 0x80;
        System.arraycopy(tail, 0, want, 3, tail.length);
        Object got = invoke("blob", types("[B"), want, () -> hello.blob(want));
        if (!flags.bool("oneway") && !(got instanceof byte[] && Arrays.equals((byte[]) got, want))) {
            throw new WrongReply(want.length + " bytes", got);
        }
        return new Reply(want.length + " bytes", "");
    }

    private Reply pojo(String id) throws Exception {
        Record want = record(id);
        if (generic != null) {
            Map<String, Object> in = new HashMap<>();
            in.put("class", Record.class.getName());
            in.put("id", id);
            in.put("number", want.getNumber());
            in.put("big", want.getBig());
            Object got = invoke("pojo", types(Record.class.getName()), in, null);
            if (!(got instanceof Map) || !id.equals(((Map<?, ?>) got).get("id"))) {
                throw new WrongReply(id, got);
            }
            return new Reply(String.valueOf(got), String.valueOf(((Map<?, ?>) got).get("server")));
        }
        Record got = (Record) invoke("pojo", null, null, () -> hello.pojo(want));
        if (flags.bool("oneway")) {
            return new Reply("sent", "");
        }
        String server = got.getServer();
        got.setServer(null);
        if (!got.equals(want)) {
            throw new WrongReply(want, got);
        }
        return new Reply(got.toString(), server);
    }

    /** A value of every kind and the ends of the number ranges. */
    private static Record record(String id) {
        Point origin = new Point();
        origin.setX(1.5);
        origin.setY(-0.25);
        origin.setLabel("Zürich 中文 😀");
        Record r = new Record();
        r.setId(id);
        r.setNumber(Integer.MIN_VALUE);
        r.setBig(Long.MAX_VALUE);
        r.setRatio(0.1);
        r.setYes(true);
        r.setWhen(new Date(1_700_000_000_123L));
        r.setRaw(new byte[] {0, 1, (byte) 0xfe, (byte) 0xff});
        r.setTags(Arrays.asList("grün", ""));
        Map<String, Integer> counts = new HashMap<>();
        counts.put("one", 1);
        counts.put("minus", -1);
        r.setCounts(counts);
        r.setOrigin(origin);
        Point other = new Point();
        other.setLabel("b"); // not null, which Go programs cannot tell from empty
        r.setPath(Arrays.asList(origin, other));
        return r;
    }

    private Reply listen(String key) throws Exception {
        StringBuffer heard = new StringBuffer();
        Listener listener = message -> {
            heard.append(message);
            return "seen " + message;
        };
        Reply r = greeting(invoke("listen", null, null, () -> hello.listen(key, listener)), key);
        if (!heard.toString().equals(r.text)) {
            throw new WrongReply("callback with " + r.text, heard);
        }
        return r;
    }

    private Reply thrown(Class<?> want, String token, Callable<Object> call) throws Exception {
        Object got;
        try {
            got = call.call();
        } catch (Exception e) {
            boolean right = e.getClass() == want;
            if (e.getClass().getSimpleName().equals("GenericException")) {
                // org.apache's or com.alibaba's: what $invoke makes of exceptions.
                right = String.valueOf(e.getMessage()).contains(want.getName())
                        || e instanceof GenericException
                                && want.getName().equals(((GenericException) e).getExceptionClass());
            }
            if (!right) {
                throw e;
            }
            if (!String.valueOf(e.getMessage()).contains(token)) {
                throw new WrongReply(token, e.getMessage());
            }
            return new Reply(e.toString(), "");
        }
        if (flags.bool("oneway")) {
            return new Reply("sent", "");
        }
        throw new WrongReply(want, got);
    }
}
