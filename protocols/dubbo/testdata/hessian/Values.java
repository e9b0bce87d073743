import com.alibaba.com.caucho.hessian.io.Hessian2Output;
import java.io.Serializable;
import java.math.*;
import java.time.*;
import java.util.*;

/** Prints values as Dubbo's Hessian2 serialization writes them: one line each, a name and hex. */
public class Values {
    public static class Node implements Serializable {
        String name; int count; Long total; Node next; List<Node> children = new ArrayList<>(); Map<String, Object> extra = new LinkedHashMap<>();
        Node(String name) { this.name = name; }
    }
    enum Color { RED, GREEN }

    static void show(String name, Object v) throws Exception {
        java.io.ByteArrayOutputStream out = new java.io.ByteArrayOutputStream();
        Hessian2Output h = new Hessian2Output(out);
        h.writeObject(v);
        h.flushBuffer();
        StringBuilder s = new StringBuilder();
        for (byte x : out.toByteArray()) s.append(String.format("%02x", x));
        System.out.println(name + " " + s);
    }

    public static void main(String[] a) throws Exception {
        show("null", null); show("true", true); show("false", false);
        for (int i : new int[]{0, 1, -1, -16, -17, 47, 48, 2047, 2048, -2048, -2049, 262143, 262144, -262144, -262145, Integer.MAX_VALUE, Integer.MIN_VALUE}) show("int:" + i, i);
        for (long i : new long[]{0, -8, -9, 15, 16, 2047, 2048, -2048, 262143, 262144, -262145, 1L << 31, -(1L << 31), (1L << 31) - 1, Long.MAX_VALUE, Long.MIN_VALUE}) show("int:" + i, i);
        show("int:-5", (byte) -5); show("int:-500", (short) -500);
        show("text:", ""); show("text:hello", "hello");
        show("text:" + "x".repeat(47), "x".repeat(47)); show("text:" + "x".repeat(48), "x".repeat(48)); show("text:" + "x".repeat(3000), "x".repeat(3000));
        show("text:\u00e9t\u00e9", "\u00e9t\u00e9"); show("text:" + "\u00e9".repeat(60), "\u00e9".repeat(60));
        show("text:\u5f20\u4e09", "\u5f20\u4e09"); show("text:user-\u5f20\u4e09-of-the-east", "user-\u5f20\u4e09-of-the-east");
        show("text:\ud83d\ude00", "\ud83d\ude00"); show("text:a\ud83d\ude00b\u00e9", "a\ud83d\ude00b\u00e9");
        show("other:char", 'x'); show("other:wide-char", '\u5f20');
        for (double d : new double[]{0, 1, -1, 1.5, 1e300, Double.NaN, 100000}) show("other:double" + d, d);
        for (float d : new float[]{0, 1, 1.5f, 100000}) show("other:float" + d, d);
        show("other:bigdec", new BigDecimal("12345678901234567890.12345")); show("other:bigdec2", new BigDecimal("1.5")); show("other:bigdec3", new BigDecimal("7"));
        show("other:bigdec4", new BigDecimal("123456789012.5"));
        show("other:bigint", new BigInteger("123456789012345678901234567890")); show("other:bigint2", BigInteger.TEN);
        show("other:bytes", new byte[]{1, 2, 3}); show("other:bytes-large", new byte[1500]); show("other:bytes-16", new byte[16]);
        show("other:ints", new int[]{1, 2, 3000000}); show("other:longs", new long[]{1, 1L << 40}); show("other:doubles", new double[]{1, 2.5}); show("other:bools", new boolean[]{true, false});
        show("other:strings", new String[]{"a", null, "b"}); show("other:objects", new Object[]{"a", 1, null, 2.5, new Object[]{}});
        show("other:list", new ArrayList<>(Arrays.asList("a", 1, 2L, null))); show("other:linked-list", new LinkedList<>(Arrays.asList("a"))); show("other:set", new HashSet<>(Arrays.asList("a", "b")));
        show("other:list-of", List.of("a", "b")); show("other:long-list", new ArrayList<>(Collections.nCopies(40, 7)));
        show("other:date", new Date(1700000000123L)); show("other:date-s", new Date(1700000000000L)); show("other:date-m", new Date(60000L * 28000000));
        show("other:instant", Instant.ofEpochSecond(1700000000, 5)); show("other:local-date", LocalDate.of(2026, 1, 2));
        show("other:local-time", LocalTime.of(1, 2, 3, 999999)); show("other:local-date-time", LocalDateTime.of(2026, 1, 2, 3, 4, 5, 6));
        show("other:zoned", ZonedDateTime.of(2026, 1, 2, 3, 4, 5, 6, ZoneId.of("Europe/Berlin"))); show("other:offset", OffsetDateTime.of(2026, 1, 2, 3, 4, 5, 6, ZoneOffset.UTC));
        show("other:duration", Duration.ofSeconds(5)); show("other:enum", Color.GREEN); show("other:uuid", new UUID(1, 2)); show("other:locale", Locale.GERMANY);
        show("other:class", String.class); show("other:tree-map", new TreeMap<>(Map.of("a", 1)));
        Map<Object, Object> m = new LinkedHashMap<>(); m.put(1, "x"); m.put(2L, new Date(0)); m.put("k", null); m.put(Color.RED, Color.GREEN); show("other:odd-map", m);
        Map<String, Object> h = new HashMap<>(); h.put("timeout", "3000"); h.put("n", 5); h.put("path", "org.example.Service"); show("other:hash-map", h);
        Node x = new Node("x"), y = new Node("y"); x.next = y; x.children.add(y); x.children.add(x); y.next = x; x.extra.put("self", x); x.extra.put("d", 1.5); x.total = 7L;
        show("other:graph", x);
        Node deep = new Node("0"); for (int i = 1; i < 20; i++) { Node d = new Node("" + i); d.next = deep; deep = d; } show("other:deep", deep);
        show("other:exception", new IllegalStateException("why", new RuntimeException("because")));
        show("other:nodes", new ArrayList<>(Arrays.asList(new Node("a"), new Node("b"), new Node("c"))));
    }
}
