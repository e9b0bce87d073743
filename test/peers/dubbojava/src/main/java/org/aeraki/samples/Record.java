package org.aeraki.samples;

import java.io.Serializable;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** A value of every kind that programs put in theirs. */
public class Record implements Serializable {
    private static final long serialVersionUID = 1L;

    private String id;
    private int number;
    private long big;
    private double ratio;
    private boolean yes;
    private Date when;
    private byte[] raw;
    private List<String> tags;
    private Map<String, Integer> counts;
    private Point origin;
    private List<Point> path;
    private Point none;
    private String server;

    public String getId() {
        return id;
    }

    public void setId(String id) {
        this.id = id;
    }

    public int getNumber() {
        return number;
    }

    public void setNumber(int number) {
        this.number = number;
    }

    public long getBig() {
        return big;
    }

    public void setBig(long big) {
        this.big = big;
    }

    public double getRatio() {
        return ratio;
    }

    public void setRatio(double ratio) {
        this.ratio = ratio;
    }

    public boolean isYes() {
        return yes;
    }

    public void setYes(boolean yes) {
        this.yes = yes;
    }

    public Date getWhen() {
        return when;
    }

    public void setWhen(Date when) {
        this.when = when;
    }

    public byte[] getRaw() {
        return raw;
    }

    public void setRaw(byte[] raw) {
        this.raw = raw;
    }

    public List<String> getTags() {
        return tags;
    }

    public void setTags(List<String> tags) {
        this.tags = tags;
    }

    public Map<String, Integer> getCounts() {
        return counts;
    }

    public void setCounts(Map<String, Integer> counts) {
        this.counts = counts;
    }

    public Point getOrigin() {
        return origin;
    }

    public void setOrigin(Point origin) {
        this.origin = origin;
    }

    public List<Point> getPath() {
        return path;
    }

    public void setPath(List<Point> path) {
        this.path = path;
    }

    public Point getNone() {
        return none;
    }

    public void setNone(Point none) {
        this.none = none;
    }

    public String getServer() {
        return server;
    }

    public void setServer(String server) {
        this.server = server;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof Record)) {
            return false;
        }
        Record o = (Record) other;
        return Objects.equals(id, o.id)
                && number == o.number
                && big == o.big
                && Double.compare(ratio, o.ratio) == 0
                && yes == o.yes
                && Objects.equals(when, o.when)
                && Arrays.equals(raw, o.raw)
                && Objects.equals(tags, o.tags)
                && Objects.equals(counts, o.counts)
                && Objects.equals(origin, o.origin)
                && Objects.equals(path, o.path)
                && Objects.equals(none, o.none)
                && Objects.equals(server, o.server);
    }

    @Override
    public int hashCode() {
        return Objects.hash(id, number);
    }

    @Override
    public String toString() {
        return id + " " + number + " " + big + " " + ratio + " " + when + " " + tags + " " + counts + " " + origin + " "
                + path + " " + server;
    }
}
